"""Row filters applied to raw ratings before a split."""

import logging
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.ratings import Ratings

__all__ = ["clean", "drop_duplicates", "drop_rare_items"]

_LOGGER = logging.getLogger(__name__)


def drop_duplicates(ratings: Ratings) -> Ratings:
    """Keeps the last row of every (user, item) pair.

    Args:
        ratings: Raw ratings.

    Returns:
        Ratings in the same order, each pair once; the drops stand in
        `dropped["duplicate_pairs"]` and in a warning.
    """
    users, _ = _codes(ratings.user)
    items, num_items = _codes(ratings.item)
    pairs = users * num_items + items
    # np.unique keeps the first occurrence, so it looks from the end.
    _, from_end = np.unique(pairs[::-1], return_index=True)
    count = len(ratings) - len(from_end)
    if not count:
        return ratings
    _LOGGER.warning(
        "%d duplicate (user, item) pairs dropped, the last of each kept.", count
    )
    rows = np.sort(len(ratings) - 1 - from_end)
    return ratings.take(rows, duplicate_pairs=count)


def drop_rare_items(ratings: Ratings, min_item_ratings: int) -> Ratings:
    """Drops the items with too few ratings.

    DNIS on ML-20M drops movies with fewer than 5 ratings.

    Args:
        ratings: Raw ratings.
        min_item_ratings: The fewest ratings an item may have, at least 1.

    Returns:
        Ratings in the same order; the dropped rows are counted in
        `dropped["rare_items"]`.

    Raises:
        ValueError: If `min_item_ratings` is below 1 or no row is left.
    """
    if min_item_ratings < 1:
        raise ValueError(
            "`min_item_ratings` must be at least 1. "
            f"Received: min_item_ratings={min_item_ratings}"
        )
    items, _ = _codes(ratings.item)
    rows = np.flatnonzero(np.bincount(items)[items] >= min_item_ratings)
    if not rows.size:
        raise ValueError(
            "`min_item_ratings` must leave some rows. "
            f"Received: min_item_ratings={min_item_ratings}"
        )
    if rows.size == len(ratings):
        return ratings
    return ratings.take(rows, rare_items=len(ratings) - rows.size)


def clean(ratings: Ratings, min_item_ratings: int = 1) -> Ratings:
    """Drops duplicate pairs, then rare items.

    Args:
        ratings: Raw ratings.
        min_item_ratings: The fewest ratings an item may have, at least 1.

    Returns:
        Ratings in the same order, every drop counted in `dropped`.
    """
    return drop_rare_items(drop_duplicates(ratings), min_item_ratings)


def _codes(ids: npt.NDArray[Any]) -> tuple[npt.NDArray[np.int64], int]:
    unique, codes = np.unique(ids, return_inverse=True)
    return codes.astype(np.int64, copy=False), len(unique)
