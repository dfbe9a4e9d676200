"""How sizes are spread, in a few numbers."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["popularity_deciles", "summarize_sizes"]


def popularity_deciles(popularity: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Numbers each row's tenth of its table, by popularity.

    >>> popularity_deciles([9, 1, 5, 7]).tolist()
    [0, 7, 5, 2]

    Args:
        popularity: Occurrences of each row, `(rows,)`.

    Returns:
        0 for the tenth of the rows that occur most, to 9, `(rows,)`; rows of
        equal popularity in the order of the table.
    """
    counts = np.asarray(popularity)
    deciles = np.empty(len(counts), dtype=np.int64)
    order = np.argsort(-counts, kind="stable")
    deciles[order] = np.arange(len(counts)) * 10 // max(len(counts), 1)
    return deciles


def summarize_sizes(
    sizes: Mapping[str, npt.ArrayLike],
    popularity: Mapping[str, npt.ArrayLike],
) -> dict[str, Any]:
    """Summarizes the sizes of all rows.

    Args:
        sizes: Live entries of each row, by table.
        popularity: Occurrences of each row, by table.

    Returns:
        `mean`, `min`, `max`, `histogram` (rows of size 0, 1, ...) and
        `by_popularity_decile` (mean size of each table's most popular tenth
        of the rows, of the next, ...); the last is null for a tenth without
        rows.

    Raises:
        ValueError: If a table's popularity is missing or of another length.
    """
    for name, of_table in sizes.items():
        counted = np.size(popularity[name]) if name in popularity else None
        if counted != np.size(of_table):
            raise ValueError(
                "`popularity` must count every row of every table. "
                f"Received: {counted} counts for {np.size(of_table)} rows of "
                f"table {name!r}"
            )
    every = np.concatenate([np.asarray(item) for item in sizes.values()])
    deciles = np.concatenate([popularity_deciles(popularity[n]) for n in sizes])
    rows = np.bincount(deciles, minlength=10)
    totals = np.bincount(deciles, weights=every, minlength=10)
    return {
        "mean": float(every.mean()),
        "min": int(every.min()),
        "max": int(every.max()),
        "histogram": np.bincount(every).tolist(),
        "by_popularity_decile": [
            float(total / count) if count else None
            for total, count in zip(totals, rows, strict=True)
        ],
    }
