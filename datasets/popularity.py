"""Popularity of the rows of a table."""

import numpy as np
import numpy.typing as npt

__all__ = ["count_popularity"]


def count_popularity(
    rows: npt.NDArray[np.int32], vocabulary_size: int
) -> npt.NDArray[np.int64]:
    """Counts how often each row occurs.

    Give it the training part only: counts of later parts leak.

    >>> count_popularity(np.array([1, 2, 1]), vocabulary_size=4)
    array([0, 2, 1, 0])

    Args:
        rows: Table rows of the training examples, `(n,)`.
        vocabulary_size: Number of rows in the table.

    Returns:
        Counts, `(vocabulary_size,)` int64.

    Raises:
        ValueError: If a row lies outside of the table.
    """
    rows = np.asarray(rows)
    if rows.size and not 0 <= rows.min() <= rows.max() < vocabulary_size:
        raise ValueError(
            f"`rows` must lie in 0..{vocabulary_size - 1}. "
            f"Received: rows in {rows.min()}..{rows.max()}"
        )
    return np.bincount(rows, minlength=vocabulary_size).astype(np.int64)
