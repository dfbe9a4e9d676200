"""Raw ratings, as a source delivers them."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.as_ids import as_ids

__all__ = ["Ratings"]


@dataclasses.dataclass(frozen=True, eq=False)
class Ratings:
    """Ratings with raw ids, before any split.

    Example:

    >>> ratings = Ratings(user=[7, 7], item=["a", "b"], rating=[4, 5])
    >>> len(ratings)
    2

    Args:
        user: Raw user ids, integers or strings, `(n,)`.
        item: Raw item ids, integers or strings, `(n,)`.
        rating: Finite ratings, `(n,)`.
        time: Integer times such as unix seconds, `(n,)`; 0 is unknown. `None`
            where the source has no times.
        dropped: How many rows were dropped on the way here, by reason.

    Raises:
        ValueError: For arrays of other shapes or types, different lengths, or
            ratings that are not finite.
    """

    user: npt.NDArray[Any]
    item: npt.NDArray[Any]
    rating: npt.NDArray[np.float32]
    time: npt.NDArray[np.int64] | None = None
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("user", "item"):
            _set(self, name, _as_ids(name, getattr(self, name)))
        _set(self, "rating", np.asarray(self.rating, dtype=np.float32))
        if self.time is not None:
            time = np.asarray(self.time)
            if time.dtype.kind not in "iu":
                raise ValueError(
                    "`time` must hold integers. "
                    f"Received: time.dtype={time.dtype}"
                )
            _set(self, "time", time.astype(np.int64, copy=False))
        for name in ("user", "item", "rating", "time"):
            values = getattr(self, name)
            if values is not None and values.shape != (len(self.rating),):
                raise ValueError(
                    f"`{name}` must be one-dimensional and as long as "
                    f"`rating` ({len(self.rating)}). "
                    f"Received: {name}.shape={values.shape}"
                )
        bad = np.flatnonzero(~np.isfinite(self.rating))
        if bad.size:
            raise ValueError(
                "`rating` must be finite. Received: "
                f"rating[{bad[0]}]={self.rating[bad[0]]}"
            )

    def __len__(self) -> int:
        return len(self.rating)

    def take(self, rows: npt.NDArray[np.int64], **dropped: int) -> Ratings:
        """Returns the given rows, with more drops on record.

        Args:
            rows: Row numbers, `(m,)`.
            **dropped: Drops to add to `dropped`, by reason.

        Returns:
            New ratings of length `m`.
        """
        total = dict(self.dropped)
        for reason, count in dropped.items():
            total[reason] = total.get(reason, 0) + count
        return Ratings(
            user=self.user[rows],
            item=self.item[rows],
            rating=self.rating[rows],
            time=None if self.time is None else self.time[rows],
            dropped=total,
        )


def _as_ids(name: str, values: Any) -> npt.NDArray[Any]:
    ids = as_ids(values)
    if ids.dtype.kind not in "iuU":
        raise ValueError(
            f"`{name}` must hold integers or strings. "
            f"Received: {name}.dtype={ids.dtype}"
        )
    if ids.dtype.kind == "U":
        return ids
    return ids.astype(np.int64, copy=False)


def _set(instance: Ratings, name: str, value: Any) -> None:
    object.__setattr__(instance, name, value)
