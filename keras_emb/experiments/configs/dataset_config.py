"""Which ratings an experiment is about."""

import dataclasses
from typing import Any

__all__ = ["DatasetConfig"]


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
    """Which ratings, and how they are split.

    Args:
        name: Name of a data set that `keras_emb.datasets.load` knows.
        split: Name of the split.
        shares: Shares of train, validation and test; the split's own if
            `None`.
        seed: Seed of the split. The experiment's seeds do not touch it.
        options: Further arguments of `load`.
    """

    name: str
    split: str = "random"
    shares: tuple[float, ...] | None = None
    seed: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
