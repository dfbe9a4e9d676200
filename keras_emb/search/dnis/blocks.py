"""Blocks of rows by popularity."""

from collections.abc import Mapping, Sequence

import numpy as np

__all__ = ["decade_sizes", "popularity_blocks"]

_DECADES = 6


def popularity_blocks(
    popularity: Mapping[str, np.ndarray],
    num_blocks: int | None = None,
    block_sizes: Sequence[int] | None = None,
) -> dict[str, np.ndarray]:
    """Divides the rows of all tables into blocks of falling popularity.

    DNIS (arXiv 2006.04466): the features of all fields are
    sorted by frequency together and cut into L blocks. Rows of equal
    popularity keep the order of tables and rows.

    >>> import numpy as np
    >>> popularity_blocks({"user": np.array([5, 1, 9])}, num_blocks=3)
    {'user': array([1, 2, 0], dtype=int32)}

    Args:
        popularity: Counts of every row, by table.
        num_blocks: Number of blocks of equal count.
        block_sizes: Rows in each block, the most popular first, instead.

    Returns:
        The block of every row, by table; block 0 is the most popular.

    Raises:
        ValueError: If not exactly one of the two is given, or the sizes do
            not add up to the number of rows.
    """
    if (num_blocks is None) == (block_sizes is None):
        raise ValueError(
            "Give exactly one of `num_blocks` and `block_sizes`. Received: "
            f"num_blocks={num_blocks}, block_sizes={block_sizes}"
        )
    counts = np.concatenate([np.asarray(c) for c in popularity.values()])
    total = len(counts)
    if num_blocks is not None:
        if not 1 <= num_blocks <= total:
            raise ValueError(
                "`num_blocks` must lie between 1 and the number of rows. "
                f"Received: num_blocks={num_blocks}, rows={total}"
            )
        edges = np.linspace(0, total, num_blocks + 1).round().astype(int)
        sizes = np.diff(edges)
    else:
        sizes = np.asarray(block_sizes, int)
        if (sizes <= 0).any() or sizes.sum() != total:
            raise ValueError(
                "`block_sizes` must be positive and add up to the number of "
                f"rows. Received: block_sizes={block_sizes}, rows={total}"
            )
    blocks = np.empty(total, np.int32)
    blocks[np.argsort(-counts, kind="stable")] = np.repeat(
        np.arange(len(sizes), dtype=np.int32), sizes
    )
    ends = np.cumsum([len(c) for c in popularity.values()])[:-1]
    return dict(zip(popularity, np.split(blocks, ends), strict=True))


def decade_sizes(popularity: Mapping[str, np.ndarray]) -> list[int]:
    """Sizes of blocks by decades of popularity.

    The blocks of DNIS (arXiv 2006.04466) for Criteo: rows seen at least
    100,000 times, at least 10,000 times and so on down to ten, and the rest.

    >>> import numpy as np
    >>> decade_sizes({"user": np.array([0, 50, 7]), "item": np.array([3000])})
    [1, 1, 2]

    Args:
        popularity: Counts of every row, by table.

    Returns:
        Rows in each block that has any, the most popular first, for
        `popularity_blocks`.
    """
    counts = np.concatenate([np.asarray(c) for c in popularity.values()])
    decades = np.floor(np.log10(np.maximum(counts, 1))).astype(int)
    sizes = np.bincount(np.minimum(decades, _DECADES - 1), minlength=_DECADES)
    return [int(size) for size in sizes[::-1] if size]
