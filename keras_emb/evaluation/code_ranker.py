"""Ranks items for a model that encodes users and items apart."""

import functools
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from keras_emb.evaluation.best_items import best_items

__all__ = ["CodeRanker"]


class CodeRanker:
    """The best items of any users, from codes that are computed once.

    >>> import numpy as np, tensorflow as tf
    >>> class Product:
    ...     def encode(self):
    ...         return tf.constant([[1.0], [-1.0]]), tf.range(3.0)[:, None]
    ...     def score_codes(self, user_codes, item_codes):
    ...         return tf.matmul(user_codes, item_codes, transpose_b=True)
    >>> rank = CodeRanker(Product(), rows=(2, 3), places=2).start()
    >>> items, *_ = rank(np.array([0, 1], "int32"), seen=np.array([2]))
    >>> items.numpy().tolist()
    [[1, 0], [0, 1]]

    Args:
        model: See `FullRanking.__call__`.
        rows: Rows of the users' and of the items' vocabulary.
        places: How many items a user gets.
    """

    def __init__(
        self, model: Any, *, rows: tuple[int, int], places: int
    ) -> None:
        self._model = model
        self._rows = rows
        self._places = places
        self._encode = tf.function(self._codes)
        self._rank: Any = None

    def start(self) -> Callable[..., tuple[Any, Any, Any]]:
        """Encodes all users and items with the weights of the moment.

        Returns:
            A function of the rows of users, `(block,)`, and of `seen`, see
            `best_items`, of which it has the results.

        Raises:
            ValueError: If the codes have other numbers of rows.
        """
        codes = self._encode()
        found = tuple(len(side) for side in codes)
        if found != self._rows:
            raise ValueError(
                "`model` must encode as many users and items as the "
                f"vocabularies have rows, {self._rows}. "
                f"Received: codes of {found} rows"
            )
        if self._rank is None:
            self._rank = self._trace(*codes)
        return functools.partial(self._rank, *codes)

    def _codes(self) -> tuple[Any, Any]:
        return self._model.encode()

    def _trace(self, *codes: Any) -> Any:
        # One signature for every block: the last one is shorter.
        signature = [
            *(tf.TensorSpec(side.shape, side.dtype) for side in codes),
            tf.TensorSpec((None,), tf.int32),
            tf.TensorSpec((None,), tf.int64),
        ]

        def rank(
            user_codes: Any, item_codes: Any, users: Any, seen: Any
        ) -> Any:
            block = tf.gather(user_codes, users)
            scores = self._model.score_codes(block, item_codes)
            scores = tf.ensure_shape(scores, (None, self._rows[1]))
            return best_items(scores, seen, self._places)

        return tf.function(rank, input_signature=signature)
