"""Rows whose time is known."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.ratings import Ratings

__all__ = ["timed_rows"]


def timed_rows(
    ratings: Ratings, unknown_time: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64], dict[str, int]]:
    """The rows of known time, and their times.

    Args:
        ratings: Ratings with times.
        unknown_time: `"refuse"` rows of unknown time (0), or `"drop"` and
            count them.

    Returns:
        Row numbers, their times, and how many rows were dropped by reason.

    Raises:
        ValueError: Without times, or for refused rows.
    """
    if unknown_time not in ("refuse", "drop"):
        raise ValueError(
            "`unknown_time` must be 'refuse' or 'drop'. "
            f"Received: unknown_time={unknown_time!r}"
        )
    if ratings.time is None:
        raise ValueError(
            "`ratings` must have times to put them in the order of time. "
            "Received: ratings.time=None"
        )
    rows = np.flatnonzero(ratings.time > 0)
    missing = len(ratings) - len(rows)
    if missing and unknown_time == "refuse":
        raise ValueError(
            "`ratings` must have a known time (above 0) in every row; pass "
            "unknown_time='drop' to leave the others out. "
            f"Received: {missing} of {len(ratings)} rows of unknown time"
        )
    dropped = {"unknown_time": missing} if missing else {}
    return rows, ratings.time[rows], dropped
