"""Interactions in the order in which they come."""

from __future__ import annotations

import dataclasses
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.growing_vocabulary import GrowingVocabulary
from keras_emb.datasets.ratings import Ratings
from keras_emb.datasets.timed_rows import timed_rows

__all__ = ["InteractionStream"]


@dataclasses.dataclass(frozen=True, eq=False)
class InteractionStream:
    """Ratings in stream order, mapped to rows as their ids come up.

    Example:

    >>> ratings = Ratings(
    ...     user=[7, 7, 9], item=[1, 2, 1], rating=[3, 4, 5], time=[30, 10, 20]
    ... )
    >>> stream = InteractionStream.from_ratings(ratings, "chronological")
    >>> stream.features["user"], stream.features["item"]
    (array([1, 2, 1], dtype=int32), array([1, 2, 2], dtype=int32))

    Args:
        features: Rows of shape `(n,)` by feature.
        rating: Ratings, `(n,)`.
        time: Times, `(n,)`, not falling; `None` where the order is no order
            of time.
        vocabularies: Vocabulary of each feature after the whole stream.
        order: Name and arguments of the order.
        dropped: Rows dropped on the way, by reason.

    Raises:
        ValueError: If a row lies outside of its vocabulary's capacity, or
            lengths differ.
    """

    features: dict[str, npt.NDArray[np.int32]]
    rating: npt.NDArray[np.float32]
    time: npt.NDArray[np.int64] | None
    vocabularies: dict[str, GrowingVocabulary]
    order: dict[str, Any]
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, rows in self.features.items():
            capacity = self.vocabularies[name].capacity
            if rows.shape != self.rating.shape or (
                rows.size and not 0 <= rows.min() <= rows.max() < capacity
            ):
                raise ValueError(
                    f"`features[{name!r}]` must be {len(self.rating)} rows in "
                    f"0..{capacity - 1}. Received: shape {rows.shape}, rows "
                    f"in {rows.min(initial=0)}..{rows.max(initial=0)}"
                )

    def __len__(self) -> int:
        return len(self.rating)

    @classmethod
    def from_ratings(
        cls,
        ratings: Ratings,
        order: Literal["chronological", "permuted"] = "chronological",
        *,
        seed: int = 0,
        capacity: dict[str, int] | None = None,
        overflow: Literal["error", "unknown"] = "error",
        unknown_time: Literal["refuse", "drop"] = "refuse",
    ) -> InteractionStream:
        """Orders raw ratings and gives their ids rows as they come up.

        Args:
            ratings: Raw ratings.
            order: `"chronological"`, ties in the order of `ratings`, or
                `"permuted"`: a random permutation of all rows.
            seed: Seed of the permutation.
            capacity: Rows of the tables by feature; by default just enough.
            overflow: See `GrowingVocabulary`.
            unknown_time: For a chronological stream, `"refuse"` rows of
                unknown time (0), or `"drop"` and count them.

        Returns:
            The stream.

        Raises:
            ValueError: For an unknown order, refused rows, no rows, or ids
                beyond the capacity.
        """
        rows, description, dropped = _ordered(
            ratings, order, seed, unknown_time
        )
        if not rows.size:
            raise ValueError(
                "`ratings` must hold at least one row for a stream. "
                f"Received: {len(ratings)} rows, dropped {dropped}"
            )
        features, vocabularies = {}, {}
        for name in ("user", "item"):
            raw = getattr(ratings, name)[rows]
            limit = (capacity or {}).get(name, len(np.unique(raw)) + 1)
            vocabularies[name] = GrowingVocabulary(limit, overflow)
            features[name] = vocabularies[name].add(raw)
        time = ratings.time if order == "chronological" else None
        return cls(
            features=features,
            rating=ratings.rating[rows],
            time=None if time is None else time[rows],
            vocabularies=vocabularies,
            order=description,
            dropped={**ratings.dropped, **dropped},
        )


def _ordered(
    ratings: Ratings, order: str, seed: int, unknown_time: str
) -> tuple[npt.NDArray[np.int64], dict[str, Any], dict[str, int]]:
    if order == "permuted":
        rows = np.random.default_rng(seed).permutation(len(ratings))
        return rows, {"name": order, "seed": seed}, {}
    if order != "chronological":
        raise ValueError(
            "`order` must be 'chronological' or 'permuted'. "
            f"Received: order={order!r}"
        )
    rows, time, dropped = timed_rows(ratings, unknown_time)
    return (
        rows[np.argsort(time, kind="stable")],
        {"name": order, "unknown_time": unknown_time},
        dropped,
    )
