"""The best items of a user, inside a SavedModel."""

from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_emb.evaluation.best_items import unseen_scores
from keras_emb.serving.served_model import ServedModel

__all__ = ["item_scores", "top_items"]

# Items whose codes stand in memory at a time.
_BLOCK_ITEMS = 8192
# Pairs that a model without codes is asked at a time.
_BLOCK_PAIRS = 16384


def top_items(
    scores: Callable[[Any, Any], Any],
    seen: Any,
    k: Any,
    num_items: int,
    block: Any,
) -> tuple[Any, Any]:
    """The items with the highest scores, block after block.

    Items are rows `1 .. num_items`. What a user has seen is left out; of
    equal scores the lower row comes first. Places for which no item is left
    hold row 0 and the score minus infinity.

    >>> seen = tf.constant([[2, 0]])
    >>> rows, scores = top_items(
    ...     lambda low, high: tf.range(low, high)[None] * 10, seen, 4, 4, 3
    ... )
    >>> rows.numpy().tolist(), scores.numpy().tolist()
    ([[4, 3, 1, 0]], [[40.0, 30.0, 10.0, -inf]])

    Args:
        scores: Maps the first row and the one past the last to scores of
            shape `(users, last - first)`.
        seen: Rows of items, of shape `(users, n)`; row 0 means none.
        k: How many items.
        num_items: How many there are.
        block: How many are scored at a time.

    Returns:
        Rows, int32, and scores, both of shape `(users, k)`.
    """
    users = tf.shape(seen)[0]
    best = (
        tf.zeros((users, k), tf.int32),
        tf.fill((users, k), tf.constant(float("-inf"))),
    )

    def step(first: Any, rows: Any, values: Any) -> tuple[Any, Any, Any]:
        last = tf.minimum(first + block, num_items + 1)
        new = _mask(tf.cast(scores(first, last), tf.float32), seen - first)
        # The best so far stand first: they are lower rows.
        values = tf.concat([values, new], axis=1)
        ids = tf.broadcast_to(tf.range(first, last), tf.shape(new))
        top = tf.math.top_k(values, k)
        rows = tf.gather(tf.concat([rows, ids], 1), top.indices, batch_dims=1)
        return last, rows, top.values

    if isinstance(block, int) and block >= num_items:
        _, rows, values = step(tf.constant(1), *best)
        return rows, values
    any_users = tf.TensorShape((None, None))
    _, rows, values = tf.while_loop(
        lambda first, *_: first <= num_items,
        step,
        (tf.constant(1), *best),
        shape_invariants=(tf.TensorShape(()), any_users, any_users),
    )
    return rows, values


def item_scores(
    served: ServedModel, users: Any
) -> tuple[Callable[[Any, Any], Any], Any]:
    """How a model scores items for some users.

    Args:
        served: A model of users and items.
        users: Rows of shape `(users,)`.

    Returns:
        A function of the first row of items and the one past the last, to
        scores of shape `(users, items)`; and how many items it should be
        asked at a time.
    """
    model = served.model
    if hasattr(model, "encode_rows"):
        codes = model.encode_rows("user", users)

        def from_rows(first: Any, last: Any) -> Any:
            items = model.encode_rows("item", tf.range(first, last))
            return model.score_codes(codes, items)

        return from_rows, _BLOCK_ITEMS
    if hasattr(model, "encode"):
        all_users, all_items = model.encode()
        some = tf.gather(all_users, users)

        def from_codes(first: Any, last: Any) -> Any:
            return model.score_codes(some, all_items[first:last])

        return from_codes, _BLOCK_ITEMS

    def from_pairs(first: Any, last: Any) -> Any:
        items = tf.range(first, last)
        pairs = {
            "user": tf.repeat(users, tf.size(items)),
            "item": tf.tile(items, [tf.size(users)]),
        }
        (answers,) = served(pairs).values()
        return tf.reshape(answers, (tf.size(users), tf.size(items)))

    return from_pairs, _BLOCK_PAIRS // tf.maximum(tf.size(users), 1)


def _mask(scores: Any, places: Any) -> Any:
    """Scores of minus infinity where `places` in a user's row point."""
    width = tf.shape(scores)[1]
    within = tf.where((places >= 0) & (places < width))
    columns = tf.cast(tf.gather_nd(places, within), tf.int64)
    return unseen_scores(
        scores, within[:, 0] * tf.cast(width, tf.int64) + columns
    )
