"""How rows of different sizes are found in one vector, and what that costs.

Pure functions over NumPy arrays. `MixedDimensionEmbedding` stores what they
return; budgets and reports count it with the same functions.
"""

from typing import Any, Literal

import numpy as np

__all__ = [
    "BLOCK_LENGTH",
    "GROUP_BYTES",
    "group_rows",
    "mask_index_bytes",
    "num_groups",
    "pack_bits",
    "row_blocks",
    "row_index_bytes",
    "row_index_kind",
    "small_integer",
    "unpack_bits",
]

# Rows whose sizes are summed to find a start: one block costs eight bytes.
BLOCK_LENGTH = 64
# First row, start and size of a group, each an int64.
GROUP_BYTES = 24


def small_integer(largest: int) -> str:
    """The smallest unsigned type that holds `largest`.

    >>> small_integer(64), small_integer(256)
    ('uint8', 'uint16')
    """
    for dtype in ("uint8", "uint16", "uint32"):
        if largest <= np.iinfo(dtype).max:
            return dtype
    return "uint64"


def num_groups(sizes: np.ndarray) -> int:
    """Number of runs of equal size.

    >>> num_groups(np.array([4, 8, 8, 2]))
    3
    """
    return int(np.count_nonzero(np.diff(sizes))) + 1 if len(sizes) else 0


def group_rows(sizes: np.ndarray) -> np.ndarray:
    """Joins neighbouring rows of equal size into groups.

    The start of a row follows from its group:
    `start[g] + (row - first_row[g]) * size[g]`.

    >>> group_rows(np.array([4, 8, 8, 2])).tolist()
    [[0, 0, 4], [1, 4, 8], [3, 20, 2]]

    Args:
        sizes: Integers of shape `(rows,)`.

    Returns:
        int64 array of shape `(groups, 3)`: first row, start and size.
    """
    sizes = np.asarray(sizes, np.int64)
    first = np.flatnonzero(np.diff(sizes, prepend=-1))
    starts = np.cumsum(sizes) - sizes
    return np.stack([first, starts[first], sizes[first]], axis=1)


def row_blocks(
    sizes: np.ndarray, output_dim: int
) -> tuple[np.ndarray, np.ndarray]:
    """Keeps the size of every row, and a start for every block of rows.

    The start of a row is its block's start plus the sizes of the rows before
    it in the block. It costs little more than a byte a row, in any order of
    rows; an index of starts would cost four or eight.

    Args:
        sizes: Integers of shape `(rows,)`.
        output_dim: Largest size there can be.

    Returns:
        Sizes of shape `(blocks, BLOCK_LENGTH)`, the last block filled with
        zeros, and int64 starts of shape `(blocks,)`.
    """
    sizes = np.asarray(sizes, np.int64)
    blocks = -(-len(sizes) // BLOCK_LENGTH)
    padded = np.zeros((blocks, BLOCK_LENGTH), np.int64)
    padded.ravel()[: len(sizes)] = sizes
    totals = padded.sum(axis=1)
    starts = np.cumsum(totals) - totals
    return padded.astype(small_integer(output_dim)), starts


def _block_bytes(rows: int, output_dim: int) -> int:
    blocks = -(-rows // BLOCK_LENGTH)
    width = np.dtype(small_integer(output_dim)).itemsize
    return blocks * (BLOCK_LENGTH * width + 8)


def row_index_kind(
    sizes: np.ndarray, output_dim: int
) -> Literal["groups", "blocks"]:
    """The cheaper of `group_rows` and `row_blocks`."""
    by_groups = GROUP_BYTES * num_groups(sizes)
    by_blocks = _block_bytes(len(sizes), output_dim)
    return "groups" if by_groups <= by_blocks else "blocks"


def row_index_bytes(sizes: np.ndarray, output_dim: int) -> int:
    """Bytes of the cheaper index over rows in the order given.

    >>> row_index_bytes(np.full(1000, 8), 64)
    24
    """
    return min(
        GROUP_BYTES * num_groups(sizes), _block_bytes(len(sizes), output_dim)
    )


def mask_index_bytes(rows: int, output_dim: int, num_values: int) -> int:
    """Bytes that say which columns live: a bit each, or a column a value.

    The zero at the end of the values has a column too.

    >>> mask_index_bytes(rows=100, output_dim=64, num_values=640)
    641
    """
    bits = rows * -(-output_dim // 8)
    width = np.dtype(small_integer(output_dim - 1)).itemsize
    return min(bits, (num_values + 1) * width)


def pack_bits(mask: np.ndarray) -> np.ndarray:
    """Packs `(rows, dim)` booleans into `(rows, ceil(dim / 8))` bytes."""
    return np.packbits(np.asarray(mask, bool), axis=1, bitorder="little")


def unpack_bits(packed: np.ndarray, output_dim: int) -> Any:
    """The inverse of `pack_bits`."""
    bits = np.unpackbits(packed, axis=1, count=output_dim, bitorder="little")
    return bits.astype(bool)
