"""The first places of a block of users."""

from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["best_items", "unseen_scores"]


def best_items(scores: Any, seen: Any, places: int) -> tuple[Any, Any, Any]:
    """The items with the highest scores, of equal ones the first.

    >>> import tensorflow as tf
    >>> items, best, finite = best_items(tf.constant([[1.0, 3.0, 3.0]]), [1], 2)
    >>> items.numpy().tolist(), best.numpy().tolist(), bool(finite)
    ([[2, 0]], [[3.0, 1.0]], True)

    Args:
        scores: Floats of shape `(users, items)`.
        seen: Places in the flattened `scores`, `(n,)`, int64: what is in them
            comes last.
        places: How many items, at most `items`.

    Returns:
        Items of shape `(users, places)`, int32; their scores, float32, minus
        infinity for what is in `seen`; and whether all of `scores` are finite.
    """
    scores = tf.cast(scores, tf.float32)
    # Among equal values top_k takes the lower index first.
    top = tf.math.top_k(unseen_scores(scores, seen), places)
    finite = tf.reduce_all(tf.math.is_finite(scores))
    return top.indices, top.values, finite


def unseen_scores(scores: Any, seen: Any) -> Any:
    """Scores with which what has been seen comes last.

    >>> unseen_scores(tf.constant([[1.0, 3.0]]), [1]).numpy().tolist()
    [[1.0, -inf]]

    Args:
        scores: Floats of shape `(users, items)`.
        seen: See `best_items`.

    Returns:
        Tensor of the shape of `scores`.
    """
    seen = tf.convert_to_tensor(seen, tf.int64)
    unseen = tf.tensor_scatter_nd_update(
        tf.reshape(scores, [-1]),
        seen[:, None],
        tf.fill([tf.size(seen)], -np.inf),
    )
    return tf.reshape(unseen, tf.shape(scores))
