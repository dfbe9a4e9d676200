"""How good a recommender with given sizes is."""

import dataclasses
from collections.abc import Mapping

import numpy as np

__all__ = ["Evaluation"]


@dataclasses.dataclass(frozen=True)
class Evaluation:
    """Quality of every entity, and of the whole.

    >>> import numpy as np
    >>> Evaluation({"user": np.array([0.2, 0.4])}, score=0.3).score
    0.3

    Args:
        quality: Numbers of at least 0, shape `(rows,)`, by side. For users
            the mean of Recall and NDCG over the cut-offs, for items the mean
            of that over their training users (Qu et al., arXiv 2304.03501,
            Equations 8 and 9).
        score: One number for the whole, higher is better.
    """

    quality: Mapping[str, np.ndarray]
    score: float
