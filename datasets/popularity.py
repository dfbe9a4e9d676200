"""Popularity of the rows of a table."""

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.blocks import blocks

__all__ = ["count_popularity"]


def count_popularity(
    rows: npt.NDArray[np.int32], vocabulary_size: int
) -> npt.NDArray[np.int64]:
    """Counts how often each row occurs.

    Give it the training part only: counts of later parts leak.

    >>> count_popularity(np.array([1, 2, 1]), vocabulary_size=4)
    array([0, 2, 1, 0])

    Args:
        rows: Table rows of the training examples, `(n,)`, or `(n, m)` for a
            field of up to m values: row 0 then counts the examples of which
            nothing else is known.
        vocabulary_size: Number of rows in the table.

    Returns:
        Counts, `(vocabulary_size,)` int64.

    Raises:
        ValueError: If a row lies outside of the table.
    """
    counts = np.zeros(vocabulary_size, np.int64)
    for block in blocks(np.asanyarray(rows)):
        if block.size and not 0 <= block.min() <= block.max() < vocabulary_size:
            raise ValueError(
                f"`rows` must lie in 0..{vocabulary_size - 1}. "
                f"Received: rows in {block.min()}..{block.max()}"
            )
        found = np.bincount(block.ravel(), minlength=vocabulary_size)
        if block.ndim == 2:
            found[0] = np.count_nonzero(~block.any(axis=1))
        counts += found
    return counts
