"""Sizes that follow what is popular now, within a budget."""

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["regrow_sizes"]


def regrow_sizes(
    sizes: Mapping[str, Any],
    wanted: Mapping[str, Any],
    popularity: Mapping[str, Any],
    last_seen: Mapping[str, Any],
    num_parameters: int,
    *,
    since: int,
    shrink_to: int,
) -> dict[str, np.ndarray]:
    """Lets rows grow to the sizes they should have now.

    Rows seen at step `since` or later grow to what is wanted for them, most
    popular first, as long as the budget has room. Where it has none, rows
    not seen since are cut to `shrink_to`, those that have not come for
    longest first, and no more of them than the growing row needs. A row for
    which even that makes no room stays as it is, and costs nobody anything.

    >>> regrow_sizes(
    ...     {"user": [8, 8, 2, 2]},
    ...     wanted={"user": [2, 2, 8, 8]},
    ...     popularity={"user": [50, 20, 9, 3]},
    ...     last_seen={"user": [6, 1, 7, 7]},
    ...     num_parameters=20,
    ...     since=6,
    ...     shrink_to=2,
    ... )["user"].tolist()
    [8, 2, 8, 2]

    Args:
        sizes: Present sizes, integers of shape `(rows,)`, by table.
        wanted: Sizes that the rows should have now, by table.
        popularity: How popular every row is now, by table.
        last_seen: Step at which every row last occurred, -1 for never, by
            table.
        num_parameters: Most coordinates in all.
        since: First step whose rows may grow.
        shrink_to: Size to which rows may be cut; the largest cuts none.

    Returns:
        New sizes of shape `(rows,)` by table.
    """
    names = list(sizes)
    lengths = [len(np.asarray(sizes[name])) for name in names]

    def joined(values: Mapping[str, Any]) -> np.ndarray:
        return np.concatenate([np.asarray(values[name]) for name in names])

    present, target = joined(sizes).astype(np.int64), joined(wanted)
    seen_at, counts = joined(last_seen), joined(popularity)
    room = num_parameters - int(present.sum())
    recent = seen_at >= since
    growing = np.flatnonzero(recent & (target > present))
    growing = growing[np.argsort(-counts[growing], kind="stable")]
    idle = np.flatnonzero(~recent & (present > shrink_to))
    idle = idle[np.argsort(seen_at[idle], kind="stable")]
    freed = np.cumsum(present[idle] - shrink_to)
    grown = cut = 0
    for row in growing:
        extra = int(target[row] - present[row])
        missing = grown + extra - room
        needed = int(np.searchsorted(freed, missing)) + 1 if missing > 0 else 0
        if needed > len(idle):
            continue
        present[row] = target[row]
        grown, cut = grown + extra, max(cut, needed)
    present[idle[:cut]] = shrink_to
    parts = np.split(present, np.cumsum(lengths)[:-1])
    return dict(zip(names, parts, strict=True))
