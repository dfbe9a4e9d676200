"""Sizes the search has tried."""

import dataclasses
import hashlib
from collections.abc import Mapping

import numpy as np

__all__ = ["Candidate"]


@dataclasses.dataclass(frozen=True, eq=False)
class Candidate:
    """Sizes of every entity, and what they were worth in the search.

    >>> import numpy as np
    >>> Candidate({"user": np.array([4, 2])}, 0.9, 0.3).mean_size
    3.0

    Args:
        sizes: Integers of shape `(rows,)` by side.
        quality: Mean over all entities of the quality that was rewarded.
        score: The evaluator's number for the whole.
    """

    sizes: Mapping[str, np.ndarray]
    quality: float
    score: float

    @property
    def mean_size(self) -> float:
        """Mean size over the entities of all sides."""
        return float(np.mean(np.concatenate(list(self.sizes.values()))))

    @property
    def digest(self) -> str:
        """What tells these sizes from others."""
        joined = np.concatenate(list(self.sizes.values())).astype("<i4")
        return hashlib.sha256(joined.tobytes()).hexdigest()
