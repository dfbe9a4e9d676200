"""Who interacted with what, as a graph."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["BipartiteGraph"]


@dataclasses.dataclass(frozen=True, eq=False)
class BipartiteGraph:
    """Edges between users and items, sorted by user and then by item.

    >>> graph = BipartiteGraph.from_pairs([2, 1, 2], [1, 3, 1], 4, 5)
    >>> graph.user_degrees.tolist(), graph.items.tolist()
    ([0, 1, 1, 0], [3, 1])

    Args:
        user_degrees: Number of items of each user, int32 of shape
            `(num_users,)`.
        items: The items of each user in turn, ascending, int32 of shape
            `(num_edges,)`.
        num_items: Rows of the item table.
    """

    user_degrees: npt.NDArray[np.int32]
    items: npt.NDArray[np.int32]
    num_items: int

    @classmethod
    def from_pairs(
        cls, users: Any, items: Any, num_users: int, num_items: int
    ) -> "BipartiteGraph":
        """Makes a graph of interactions; repeated pairs are one edge.

        Args:
            users: Rows of the user table, integers of shape `(n,)`.
            items: Rows of the item table, likewise.
            num_users: Rows of the user table.
            num_items: Rows of the item table.

        Raises:
            ValueError: If there is no pair, or a row lies outside its table.
        """
        users, items = np.asarray(users), np.asarray(items)
        for name, rows, count in (
            ("users", users, num_users),
            ("items", items, num_items),
        ):
            if (
                not np.issubdtype(rows.dtype, np.integer)
                or rows.ndim != 1
                or not len(rows)
            ):
                raise ValueError(
                    f"`{name}` must be a list of integers, at least one. "
                    f"Received: shape {rows.shape}, dtype {rows.dtype}"
                )
            if not 0 <= rows.min() <= rows.max() < count:
                raise ValueError(
                    f"`{name}` must be rows in 0..{count - 1}. "
                    f"Received: from {rows.min()} to {rows.max()}"
                )
        if len(users) != len(items):
            raise ValueError(
                "`users` and `items` must be of one length. "
                f"Received: {len(users)} and {len(items)}"
            )
        # Not in the types given: unsigned and signed make floats.
        users, items = users.astype(np.int64), items.astype(np.int64)
        edges = np.sort(users * num_items + items)
        edges = edges[np.diff(edges, prepend=-1) > 0]
        degrees = np.bincount(edges // num_items, minlength=num_users)
        return cls(
            degrees.astype(np.int32),
            (edges % num_items).astype(np.int32),
            int(num_items),
        )

    @classmethod
    def from_interactions(cls, interactions: Any) -> "BipartiteGraph":
        """The graph of a data set's training part.

        Args:
            interactions: `keras_emb.datasets.Interactions` with the features
                `"user"` and `"item"`.
        """
        pairs = interactions.train.features
        rows = {k: len(v) for k, v in interactions.vocabularies.items()}
        return cls.from_pairs(
            pairs["user"], pairs["item"], rows["user"], rows["item"]
        )

    @property
    def num_users(self) -> int:
        """Rows of the user table."""
        return len(self.user_degrees)

    @property
    def num_edges(self) -> int:
        """Number of edges."""
        return len(self.items)

    @property
    def item_degrees(self) -> npt.NDArray[np.int32]:
        """Number of users of each item, shape `(num_items,)`."""
        counts = np.bincount(self.items, minlength=self.num_items)
        return counts.astype(np.int32)
