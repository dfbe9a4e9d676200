"""Named, seeded splits of ratings into train, validation and test.

Every split gives each row to one part at most. A user with fewer than
`MIN_USER_ROWS` rows cannot stand in all three parts; the splits by user leave
such a user's rows in the training part.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.ratings import Ratings
from keras_emb.datasets.row_split import RowSplit
from keras_emb.datasets.timed_rows import timed_rows

__all__ = [
    "MIN_USER_ROWS",
    "cut_points",
    "leave_one_out",
    "per_user_random",
    "random",
    "split_rows",
    "temporal_stream",
]

MIN_USER_ROWS = 3


def random(
    ratings: Ratings,
    *,
    shares: Sequence[float] = (0.7, 0.2, 0.1),
    seed: int = 0,
) -> RowSplit:
    """Splits all rows at random (DNIS: 7:2:1).

    Args:
        ratings: Ratings to split.
        shares: Shares of train, validation and test; they add up to 1.
        seed: Seed of the permutation.

    Returns:
        The rows of each part, in the order of `ratings`.

    Raises:
        ValueError: For invalid shares, or too few rows for a wanted part.
    """
    cuts = cut_points(shares, len(ratings))
    rows = np.random.default_rng(seed).permutation(len(ratings))
    train, validation, test = (np.sort(part) for part in np.split(rows, cuts))
    return _checked(RowSplit(train, validation, test), shares)


def per_user_random(
    ratings: Ratings,
    *,
    shares: Sequence[float] = (0.5, 0.25, 0.25),
    seed: int = 0,
) -> RowSplit:
    """Splits each user's rows at random (CIESS: 50/25/25).

    The rows of a user with n rows, shuffled, are cut at `round(share n)`; a
    user with fewer than three rows is kept in the training part.

    Args:
        ratings: Ratings to split.
        shares: Shares of train, validation and test; they add up to 1.
        seed: Seed of the permutations.

    Returns:
        The rows of each part, in the order of `ratings`.

    Raises:
        ValueError: For invalid shares, or too few rows for a wanted part.
    """
    _check_shares(shares)
    keys = np.random.default_rng(seed).permutation(len(ratings))
    place, count = _places(ratings.user, keys)
    first = np.maximum(np.rint(shares[0] * count), 1)
    second = np.maximum(np.rint((shares[0] + shares[1]) * count), first)
    short = count < MIN_USER_ROWS
    part = np.where(short | (place < first), 0, np.where(place < second, 1, 2))
    return _checked(_by_part(part), shares)


def leave_one_out(
    ratings: Ratings, *, unknown_time: str = "refuse"
) -> RowSplit:
    """Holds out each user's latest row for test, the one before to validate.

    Rows of one time count in the order of `ratings`. A user with fewer than
    three rows is kept in the training part.

    Args:
        ratings: Ratings with times.
        unknown_time: `"refuse"` rows of unknown time (0), or `"drop"` and count
            them.

    Returns:
        The rows of each part, in the order of `ratings`.

    Raises:
        ValueError: Without times, for refused rows of unknown time, or if no
            user has enough rows.
    """
    rows, time, dropped = timed_rows(ratings, unknown_time)
    place, count = _places(ratings.user[rows], time)
    from_end = count - 1 - place
    part = np.where((count < MIN_USER_ROWS) | (from_end > 1), 0, 2 - from_end)
    split = _by_part(part)
    return _checked(
        RowSplit(
            rows[split.train], rows[split.validation], rows[split.test], dropped
        ),
        (1.0, 1.0, 1.0),
    )


def temporal_stream(
    ratings: Ratings,
    *,
    shares: Sequence[float] = (0.7, 0.2, 0.1),
    unknown_time: str = "refuse",
) -> RowSplit:
    """Splits the stream in the order of time.

    Every training row is strictly earlier than every validation row, and that
    strictly earlier than every test row: rows of one time are not torn apart
    but go to the later part.

    Args:
        ratings: Ratings with times.
        shares: Shares of train, validation and test; they add up to 1.
        unknown_time: `"refuse"` rows of unknown time (0), or `"drop"` and count
            them.

    Returns:
        The rows of each part in the order of time, ties in the order of
        `ratings`.

    Raises:
        ValueError: For invalid shares, without times, for refused rows of
            unknown time, or if a wanted part stays empty.
    """
    rows, time, dropped = timed_rows(ratings, unknown_time)
    cuts = cut_points(shares, len(rows))
    order = np.argsort(time, kind="stable")
    rows, time = rows[order], time[order]
    cuts = [
        int(np.searchsorted(time, time[cut])) if cut < len(time) else cut
        for cut in cuts
    ]
    train, validation, test = np.split(rows, cuts)
    return _checked(RowSplit(train, validation, test, dropped), shares)


_SPLITS: dict[str, Callable[..., RowSplit]] = {
    "leave_one_out": leave_one_out,
    "per_user_random": per_user_random,
    "random": random,
    "temporal_stream": temporal_stream,
}


def split_rows(
    ratings: Ratings, split: str, *, seed: int = 0, **split_args: Any
) -> tuple[RowSplit, dict[str, Any]]:
    """Splits ratings by the name of a split.

    Args:
        ratings: Ratings to split.
        split: `"random"`, `"per_user_random"`, `"leave_one_out"` or
            `"temporal_stream"`.
        seed: Seed of the random splits; the others have no randomness.
        **split_args: Arguments of the split.

    Returns:
        The rows of each part, and the split's name with all its arguments.

    Raises:
        ValueError: For an unknown split or argument, and as the split does.
    """
    if split not in _SPLITS:
        raise ValueError(
            f"`split` must be one of {sorted(_SPLITS)}. "
            f"Received: split={split!r}"
        )
    function = _SPLITS[split]
    known = [
        name
        for name, parameter in inspect.signature(function).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
    ]
    unknown = sorted(set(split_args) - set(known))
    if unknown:
        raise ValueError(
            f"Arguments of split {split!r} must be among {known}. "
            f"Received: {', '.join(unknown)}"
        )
    if "seed" in known:
        split_args["seed"] = seed
    bound = inspect.signature(function).bind(ratings, **split_args)
    bound.apply_defaults()
    return function(ratings, **split_args), {"name": split, **bound.kwargs}


def _check_shares(shares: Sequence[float]) -> None:
    if (
        len(shares) != 3
        or not all(np.isfinite(share) and share >= 0 for share in shares)
        or shares[0] == 0
        or abs(sum(shares) - 1) > 1e-6
    ):
        raise ValueError(
            "`shares` must be three numbers >= 0 that add up to 1, the first "
            f"above 0. Received: shares={tuple(shares)}"
        )


def cut_points(shares: Sequence[float], num_rows: int) -> list[int]:
    """Where the second and the third part of some rows start.

    Args:
        shares: Shares of train, validation and test; they add up to 1.
        num_rows: Rows of all parts.

    Raises:
        ValueError: For invalid shares.
    """
    _check_shares(shares)
    ends = np.cumsum(shares)[:2] * num_rows
    return [int(end) for end in np.rint(ends)]


def _places(
    users: npt.NDArray[Any], keys: npt.NDArray[np.int64]
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Returns each row's place by key within its user, and the user's rows."""
    _, codes, counts = np.unique(users, return_inverse=True, return_counts=True)
    order = np.lexsort((keys, codes))
    starts = np.cumsum(counts) - counts
    place = np.empty(len(users), dtype=np.int64)
    place[order] = np.arange(len(users)) - starts[codes[order]]
    return place, counts[codes]


def _by_part(part: npt.NDArray[np.int64]) -> RowSplit:
    return RowSplit(
        train=np.flatnonzero(part == 0),
        validation=np.flatnonzero(part == 1),
        test=np.flatnonzero(part == 2),
    )


def _checked(split: RowSplit, shares: Sequence[float]) -> RowSplit:
    parts = (split.train, split.validation, split.test)
    for name, part, share in zip(
        ("train", "validation", "test"), parts, shares, strict=True
    ):
        if share > 0 and not part.size:
            raise ValueError(
                f"`ratings` has too few rows: the {name} part would be empty. "
                f"Received: {sum(map(len, parts))} rows to split"
            )
    return split
