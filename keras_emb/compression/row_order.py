"""In which order rows are cheapest to find."""

import itertools
from collections.abc import Sequence

import numpy as np

from keras_emb.layers.row_index import row_index_bytes

__all__ = ["shared_row_order"]

# More tables than this on one feature are sorted by their total alone.
_MOST_TABLES = 4


def shared_row_order(
    sizes: Sequence[np.ndarray], output_dims: Sequence[int]
) -> np.ndarray:
    """Finds the order of rows whose index takes the fewest bytes.

    Tables fed with one feature must share their order, so that at most one
    of them can be sorted outright. Tried are the order there is, the largest
    total first, and sorting by each sequence of the tables; equals stay in
    the order they have. Row 0, the unknown row, stays where it is.

    >>> sizes = np.tile([1, 3, 2, 3, 0], 30)
    >>> order = shared_row_order([sizes], [4])
    >>> sizes[order][:4].tolist(), int(order[0])
    ([1, 3, 3, 3], 0)

    Args:
        sizes: For every table, integers of shape `(rows,)`.
        output_dims: For every table, its full width.

    Returns:
        Old row of every new row, int64 of shape `(rows,)`.
    """
    rows = len(sizes[0])
    tail = [np.asarray(table[1:], np.int64) for table in sizes]
    keys = [[np.sum(tail, axis=0)]]
    if len(tail) <= _MOST_TABLES:
        keys += [list(tables) for tables in itertools.permutations(tail)]
    candidates = [np.arange(rows)]
    for key in keys:
        # lexsort takes its first key last.
        order = np.lexsort([-table for table in reversed(key)])
        candidates.append(np.concatenate([[0], order + 1]))

    def cost(order: np.ndarray) -> int:
        return sum(
            row_index_bytes(table[order], dim)
            for table, dim in zip(sizes, output_dims, strict=True)
        )

    return min(candidates, key=cost)
