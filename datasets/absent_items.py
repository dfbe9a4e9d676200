"""Items that users have not chosen."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["AbsentItems"]


class AbsentItems:
    """Finds the items that are in no pair with a user, without trial and error.

    The absent items of a user are numbered in ascending order. Between two
    neighbours in the user's list the others are known to lie, so the n-th
    absent one is found by bisection: one search over all users at once.

    >>> absent = AbsentItems([1, 1], [2, 3], num_users=2, num_items=6)
    >>> absent.count.tolist()
    [5, 3]
    >>> absent.at([1, 1, 1], [0, 1, 2]).tolist()
    [1, 4, 5]

    Args:
        users: Rows of users, `(n,)`. Pairs may repeat.
        items: Rows of the items they have, `(n,)`.
        num_users: Rows of the user table.
        num_items: Rows of the item table. Row 0 stands for unknown items and
            is never absent.

    Raises:
        ValueError: If the columns differ in length or hold no such rows.
    """

    def __init__(
        self,
        users: npt.ArrayLike,
        items: npt.ArrayLike,
        *,
        num_users: int,
        num_items: int,
    ) -> None:
        columns = {"users": np.asarray(users), "items": np.asarray(items)}
        for (name, rows), size in zip(
            columns.items(), (num_users, num_items), strict=True
        ):
            if rows.ndim != 1 or len(rows) != len(columns["users"]):
                raise ValueError(
                    "`users` and `items` must be columns of one length. "
                    f"Received: {name} of shape {rows.shape}"
                )
            if rows.size and not 0 <= rows.min() <= rows.max() < size:
                raise ValueError(
                    f"`{name}` must be rows in 0..{size - 1}. "
                    f"Received: from {rows.min()} to {rows.max()}"
                )
        self._num_items = num_items
        known = columns["items"] > 0
        keys = np.sort(
            columns["users"][known].astype(np.int64) * num_items
            + columns["items"][known]
        )
        keys = keys[np.diff(keys, prepend=-1) > 0]
        owners, chosen = np.divmod(keys, num_items)
        degrees = np.bincount(owners, minlength=num_users)
        self._starts = np.cumsum(degrees) - degrees
        self.count: npt.NDArray[np.int64] = num_items - 1 - degrees
        # How many absent items stand before each item of a user: ascending
        # within the user, and below the first key of the next.
        places = np.arange(len(keys)) - self._starts[owners]
        self._absent_before = owners * num_items + chosen - 1 - places

    def at(
        self, users: npt.ArrayLike, ranks: npt.ArrayLike
    ) -> npt.NDArray[np.int32]:
        """The absent items of the given numbers.

        Args:
            users: Rows of users.
            ranks: Which of a user's absent items, in `0 .. count[user] - 1`;
                of the same shape.

        Returns:
            Rows of items, int32, of that shape.

        Raises:
            ValueError: If a user has not as many absent items.
        """
        users, ranks = np.asarray(users), np.asarray(ranks, np.int64)
        wrong = np.flatnonzero((ranks < 0) | (ranks >= self.count[users]))
        if wrong.size:
            raise ValueError(
                "`ranks` must number the absent items of a user. Received: "
                f"{ranks.ravel()[wrong[0]]} for a user with "
                f"{self.count[users.ravel()[wrong[0]]]}"
            )
        keys = users.astype(np.int64) * self._num_items + ranks
        present = (
            np.searchsorted(self._absent_before, keys, side="right")
            - self._starts[users]
        )
        return np.asarray(1 + ranks + present, dtype=np.int32)

    def draw(
        self, users: npt.ArrayLike, random: np.random.Generator
    ) -> npt.NDArray[np.int32]:
        """One absent item for each entry, independent and uniform.

        Args:
            users: Rows of users with an absent item.
            random: Where chance comes from.

        Returns:
            Rows of items, int32, of the shape of `users`.

        Raises:
            ValueError: If a user has every item.
        """
        counts = self.count[np.asarray(users)]
        if counts.size and not counts.min():
            raise ValueError(
                "`users` must each be without some item. Received: a user "
                f"with all {self._num_items - 1}"
            )
        return self.at(users, random.integers(counts))

    def sample(
        self, users: npt.ArrayLike, number: int, random: np.random.Generator
    ) -> npt.NDArray[np.int32]:
        """Different absent items of each user, uniform.

        Args:
            users: Rows of users, `(n,)`.
            number: Items for each.
            random: Where chance comes from.

        Returns:
            Rows of items, `(n, number)`; 0 where a user has no more.
        """
        users = np.asarray(users)
        found = np.zeros((len(users), number), np.int32)
        for place, user in enumerate(users.tolist()):
            size = min(number, int(self.count[user]))
            ranks = random.choice(int(self.count[user]), size, replace=False)
            found[place, :size] = self.at(np.full(size, user), ranks)
        return found
