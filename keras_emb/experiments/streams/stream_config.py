"""Which stream an experiment is about."""

import dataclasses
from typing import Any

__all__ = ["StreamConfig"]


@dataclasses.dataclass(frozen=True)
class StreamConfig:
    """Which ratings, and in which order they come.

    Args:
        name: Name of a data set that `keras_emb.datasets.load` knows.
        order: `"chronological"` or `"permuted"`.
        seed: Seed of the permutation. The experiment's seeds do not touch
            it.
        options: Further arguments of `keras_emb.datasets.load_stream`.
    """

    name: str
    order: str = "chronological"
    seed: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)
