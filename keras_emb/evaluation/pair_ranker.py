"""Ranks items for a model that scores pairs."""

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from keras_emb.evaluation.best_items import best_items
from keras_emb.evaluation.predict import Predictor

__all__ = ["PairRanker"]


class PairRanker:
    """The best items of any users, from the scores of all their pairs.

    >>> import numpy as np
    >>> def later_first(pairs, training):
    ...     return pairs["item"][:, None]
    >>> ranker = PairRanker(later_first, rows=(2, 3), places=2)
    >>> items, *_ = ranker.start()(np.array([0, 1], "int32"), np.array([2]))
    >>> items.numpy().tolist()
    [[1, 0], [2, 1]]

    Args:
        model: See `FullRanking.__call__`.
        rows: Rows of the users' and of the items' vocabulary.
        places: How many items a user gets.
    """

    def __init__(
        self, model: Any, *, rows: tuple[int, int], places: int
    ) -> None:
        self._predict = Predictor(model)
        self._items = np.arange(rows[1], dtype=np.int32)
        self._best = tf.function(
            lambda scores, seen: best_items(scores, seen, places),
            input_signature=[
                tf.TensorSpec((None, rows[1]), tf.float32),
                tf.TensorSpec((None,), tf.int64),
            ],
        )

    def start(self) -> Callable[..., tuple[Any, Any, Any]]:
        """Returns a function as that of `CodeRanker.start`."""
        return self._rank

    def _rank(
        self, users: npt.NDArray[np.int32], seen: npt.NDArray[np.int64]
    ) -> tuple[Any, Any, Any]:
        pairs = {
            "user": np.repeat(users, len(self._items)),
            "item": np.tile(self._items, len(users)),
        }
        scores = self._predict(pairs).reshape(len(users), len(self._items))
        return self._best(scores, seen)
