"""Walking through columns that may lie on disk."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BLOCK_ROWS", "blocks"]

BLOCK_ROWS = 1 << 18


def blocks(
    column: npt.NDArray[Any], size: int = BLOCK_ROWS
) -> Iterator[npt.NDArray[Any]]:
    """Yields a column piece by piece.

    The pages of a mapped file that were touched once count as memory, so a
    file is read, not mapped, where all of it is wanted.

    >>> [block.tolist() for block in blocks(np.arange(5), size=2)]
    [[0, 1], [2, 3], [4]]

    Args:
        column: Array of shape `(n, ...)`, or a mapped file of one.
        size: Rows in a piece.
    """
    if not isinstance(column, np.memmap) or column.filename is None:
        for start in range(0, len(column), size):
            yield column[start : start + size]
        return
    width = int(np.prod(column.shape[1:]))
    with open(column.filename, "rb") as file:
        file.seek(column.offset)
        for start in range(0, len(column), size):
            rows = min(size, len(column) - start)
            block = np.fromfile(file, column.dtype, rows * width)
            yield block.reshape(rows, *column.shape[1:])
