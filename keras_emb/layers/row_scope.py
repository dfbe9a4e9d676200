"""Virtual values for some rows of tables, without touching the tables."""

import contextvars
from collections.abc import Mapping, Sequence
from types import TracebackType
from typing import Any

import keras
import tensorflow as tf

__all__ = ["RowScope"]

_current: contextvars.ContextVar["RowScope | None"] = contextvars.ContextVar(
    "keras_emb_row_scope", default=None
)


class RowScope:
    """Lets `gather_rows` read tables as if some rows had moved.

    An unrolled hypergradient looks at tables one gradient step ahead. Only
    the rows of a batch move in that step, so only they are held here, and
    the lookup adds them to what it gathers: no second table is made. The
    addition is differentiable in the moves. The scope also notes which
    variables are read through `gather_rows`.

    >>> import numpy as np, keras_emb
    >>> table = keras_emb.layers.DenseEmbedding(4, 2)
    >>> with RowScope() as scope:
    ...     rows = table(np.array([1, 3]))
    >>> scope.has_read(table.embeddings)
    True

    Args:
        moves: Pairs of a variable of shape `(rows, dim)` and
            `tf.IndexedSlices` without repeated indices: what to add to which
            rows.
    """

    def __init__(
        self, moves: Sequence[tuple[keras.Variable, tf.IndexedSlices]] = ()
    ) -> None:
        self._moves: Mapping[int, tf.IndexedSlices] = {
            id(variable): slices for variable, slices in moves
        }
        self._read: set[int] = set()

    def has_read(self, variable: keras.Variable) -> bool:
        """Whether `variable` has been read through `gather_rows`."""
        return id(variable) in self._read

    def read(self, variable: keras.Variable, ids: Any, rows: Any) -> Any:
        """Adds the moves of `variable` to gathered `rows`.

        Args:
            variable: The table, of shape `(rows, dim)`.
            ids: Integer tensor of shape `(...)`.
            rows: What the table holds there, of shape `(..., dim)`.

        Returns:
            Tensor of the shape of `rows`.
        """
        self._read.add(id(variable))
        slices = self._moves.get(id(variable))
        if slices is None:
            return rows
        order = tf.argsort(slices.indices)
        moved = tf.gather(slices.indices, order)
        flat = tf.reshape(tf.cast(ids, moved.dtype), [-1])
        position = tf.searchsorted(moved, flat)
        position = tf.minimum(position, tf.size(moved) - 1)
        hit = tf.cast(tf.gather(moved, position) == flat, rows.dtype)
        delta = tf.gather(slices.values, tf.gather(order, position))
        delta = tf.cast(delta, rows.dtype) * hit[:, None]
        return rows + tf.reshape(delta, tf.shape(rows))

    def __enter__(self) -> "RowScope":
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)

    @staticmethod
    def current() -> "RowScope | None":
        """The innermost scope, or None."""
        return _current.get()
