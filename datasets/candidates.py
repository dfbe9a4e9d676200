"""Short lists of items to rank."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.vocabulary import Vocabulary

__all__ = ["Candidates"]


@dataclasses.dataclass(frozen=True, eq=False)
class Candidates:
    """One held-out item for each user, and items to rank it among.

    >>> lists = Candidates(user=[1], item=[2], others=[[3, 4]])
    >>> len(lists)
    1

    Args:
        user: Table rows of different known users, `(n,)`.
        item: The held-out item of each, `(n,)`; row 0 is unknown.
        others: Items that compete with it, `(n, m)`. Row 0 is an empty place:
            nobody is recommended an unknown item.

    Raises:
        ValueError: For other shapes or types, users that repeat or are
            unknown, or a held-out item among its own competitors.
    """

    user: npt.NDArray[np.int32]
    item: npt.NDArray[np.int32]
    others: npt.NDArray[np.int32]

    def __post_init__(self) -> None:
        for name, dims in (("user", 1), ("item", 1), ("others", 2)):
            rows = np.asarray(getattr(self, name))
            if rows.dtype.kind not in "iu" or rows.ndim != dims:
                raise ValueError(
                    f"`{name}` must hold integers in {dims} dimensions. "
                    f"Received: dtype {rows.dtype}, shape {rows.shape}"
                )
            if len(rows) != len(self.user):
                raise ValueError(
                    f"`{name}` must be as long as `user` ({len(self.user)}). "
                    f"Received: {len(rows)}"
                )
            if rows.size and rows.min() < (name == "user"):
                raise ValueError(
                    f"`{name}` must hold rows from {int(name == 'user')} on. "
                    f"Received: {rows.min()}"
                )
            object.__setattr__(self, name, rows.astype(np.int32, copy=False))
        if len(np.unique(self.user)) < len(self.user):
            raise ValueError(
                "`user` must hold every user once. Received: "
                f"{len(self.user)} rows of {len(np.unique(self.user))} users"
            )
        own = (self.others == self.item[:, None]) & (self.others > 0)
        if own.any():
            raise ValueError(
                "`others` must not hold the held-out item itself. "
                f"Received: so {int(own.any(axis=1).sum())} times"
            )

    def __len__(self) -> int:
        return len(self.user)

    @classmethod
    def from_ids(
        cls,
        user: npt.ArrayLike,
        item: npt.ArrayLike,
        others: npt.ArrayLike,
        vocabularies: Mapping[str, Vocabulary],
    ) -> Candidates:
        """Maps raw ids to rows.

        Users that are unknown are left out. Competitors that are the held-out
        item itself, or stand twice, leave an empty place.

        Args:
            user: Raw ids, `(n,)`.
            item: Raw ids, `(n,)`.
            others: Raw ids, `(n, m)`.
            vocabularies: Of `"user"` and `"item"`.
        """
        users = vocabularies["user"].rows(np.asarray(user))
        known = users > 0
        items = vocabularies["item"].rows(np.asarray(item))[known]
        raw = np.asarray(others)
        rows = vocabularies["item"].rows(raw.ravel()).reshape(raw.shape)[known]
        empty = (rows == items[:, None]) | _repeated(rows)
        return cls(users[known], items, np.where(empty, 0, rows))


def _repeated(rows: npt.NDArray[Any]) -> npt.NDArray[np.bool_]:
    """Which entries stand further left in their line, too."""
    order = np.argsort(rows, axis=1, kind="stable")
    ascending = np.take_along_axis(rows, order, axis=1)
    same = np.zeros(rows.shape, bool)
    same[:, 1:] = ascending[:, 1:] == ascending[:, :-1]
    repeated = np.empty(rows.shape, bool)
    np.put_along_axis(repeated, order, same, axis=1)
    return repeated
