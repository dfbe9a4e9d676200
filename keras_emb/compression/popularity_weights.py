"""Weights of rows by popularity."""

from typing import Any

import numpy as np

__all__ = ["popularity_weights"]


def popularity_weights(counts: Any, power: float) -> np.ndarray:
    """Weighs rows by a power of how often they occur.

    `((n_i + 1) / mean(n + 1))^power`: an entry of a popular row decides more
    predictions than an equal one of a rare row.

    >>> popularity_weights([0, 0, 5], power=0.5).round(2).tolist()
    [0.61, 0.61, 1.5]

    Args:
        counts: Occurrences of every row in the training data, `(rows,)`.
        power: Zero weighs all rows the same.

    Returns:
        float64 array of shape `(rows,)`.
    """
    shifted = np.asarray(counts, dtype="float64") + 1.0
    return np.asarray((shifted / shifted.mean()) ** power)
