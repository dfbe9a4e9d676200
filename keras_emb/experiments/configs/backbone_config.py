"""Which model an experiment trains."""

import dataclasses
from typing import Any

from keras_emb.training.check_rules import check_rules
from keras_emb.zoo.backbones import BACKBONES

__all__ = ["BackboneConfig"]


@dataclasses.dataclass(frozen=True)
class BackboneConfig:
    """Which model scores a pair.

    Args:
        name: Name of a backbone in `keras_emb.zoo.backbones`.
        embedding_dim: Full width of a row.
        options: Further arguments of the backbone's `from_sizes`.
    """

    name: str
    embedding_dim: int = 64
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        check_rules(
            self,
            {"embedding_dim": (self.embedding_dim >= 1, "be at least 1")},
            place="backbone.",
        )
        if self.name not in BACKBONES:
            raise ValueError(
                f"`backbone.name` must be one of {', '.join(BACKBONES)}. "
                f"Received: backbone.name={self.name!r}"
            )
