"""Users with an item they chose and one they did not, drawn in the graph."""

from typing import Any

import numpy as np
import tensorflow as tf

from keras_emb.layers import BipartiteGraph

__all__ = ["TripletSampler"]

_PHILOX = tf.random.Algorithm.PHILOX.value


class TripletSampler:
    """Draws users, a positive and a negative item of each.

    Users are drawn uniformly, then one of a user's items, then one of the
    items the user has not: never a positive one, and without trial and error.
    The n-th item a user does not have is found by bisection, as between two
    neighbours in the user's ascending list the others are known to lie. Equal
    arguments give equal triplets, in eager mode, in a graph and under XLA.

    >>> graph = BipartiteGraph.from_pairs([1, 1, 2], [1, 2, 3], 3, 4)
    >>> users, positives, negatives = TripletSampler(graph)([0, 0, 0], 5)
    >>> users.shape
    TensorShape([5])

    Args:
        graph: Training interactions.
        reserved_items: Items `0 .. reserved_items - 1` are never negatives;
            row 0 stands for unknown items.

    Raises:
        ValueError: If no user has both a positive and a negative item.
    """

    def __init__(self, graph: BipartiteGraph, reserved_items: int = 1) -> None:
        degrees = graph.user_degrees.astype(np.int64)
        if graph.items.min() < reserved_items:
            raise ValueError(
                "`graph` must not hold reserved items. Received: item "
                f"{graph.items.min()} with reserved_items={reserved_items}"
            )
        free = graph.num_items - reserved_items - degrees
        users = np.flatnonzero((degrees > 0) & (free > 0))
        if not len(users):
            raise ValueError(
                "`graph` must have a user with an item and without another. "
                f"Received: {graph.num_users} users, {graph.num_items} items"
            )
        self._first = reserved_items
        self._rounds = int(degrees.max()).bit_length()
        self._users = tf.constant(users, tf.int32)
        self._items = tf.constant(graph.items)
        self._starts = tf.constant(np.cumsum(degrees) - degrees, tf.int32)
        self._degrees = tf.constant(degrees, tf.int32)
        self._free = tf.constant(free, tf.int32)

    def __call__(self, seed: Any, count: int) -> tuple[Any, Any, Any]:
        """Draws triplets.

        Args:
            seed: Three integers that decide the draw, each at least 0.
            count: Number of triplets.

        Returns:
            Users, positive items and negative items, int32 tensors of shape
            `(count,)`.
        """
        seed = tf.cast(seed, tf.uint64)
        # Key and place are set by hand, and whole numbers drawn: of seeds, and
        # of fractions, XLA makes something else.
        draws = tf.raw_ops.StatelessRandomUniformFullIntV2(
            shape=(3, count),
            key=seed[:1],
            counter=tf.stack(
                [tf.zeros_like(seed[0]), seed[1] * 2**32 + seed[2]]
            ),
            alg=_PHILOX,
            dtype=tf.uint32,
        )
        users = tf.gather(
            self._users, _below(draws[0], tf.size(self._users)[None])
        )
        degrees = tf.gather(self._degrees, users)
        starts = tf.gather(self._starts, users)
        positives = tf.gather(self._items, starts + _below(draws[1], degrees))
        rank = _below(draws[2], tf.gather(self._free, users))
        return users, positives, self._absent(starts, degrees, rank)

    def _absent(self, starts: Any, degrees: Any, rank: Any) -> Any:
        """The `rank`-th item that each user does not have."""
        low, high = tf.zeros_like(degrees), degrees
        for _ in range(self._rounds):
            middle = (low + high) // 2
            # Past the end only where the search is over already.
            place = tf.minimum(starts + middle, tf.size(self._items) - 1)
            absent_before = tf.gather(self._items, place) - self._first - middle
            beyond = (absent_before > rank) | (low >= high)
            high = tf.where(beyond, tf.minimum(middle, high), high)
            low = tf.where(beyond, low, middle + 1)
        return self._first + rank + low


def _below(draws: Any, bounds: Any) -> Any:
    """Integers in `0 .. bounds - 1` from any of 32 bits."""
    products = tf.cast(draws, tf.int64) * tf.cast(bounds, tf.int64)
    return tf.cast(tf.bitwise.right_shift(products, 32), tf.int32)
