"""The one way rows are read from a table."""

from typing import Any

import keras
import tensorflow as tf

from keras_emb.layers.row_scope import RowScope

__all__ = ["gather_rows"]


def gather_rows(variable: keras.Variable, ids: Any) -> Any:
    """Reads rows of a variable without reading the variable.

    `keras.ops.take` reads the whole table first, and copies it when a sparse
    update has gone before; this reads the rows alone, so a lookup costs what
    a batch costs and its gradient is `tf.IndexedSlices`.

    >>> import keras
    >>> table = keras.Variable([[1.0, 2.0], [3.0, 4.0]])
    >>> gather_rows(table, [1, 1, 0]).numpy().tolist()
    [[3.0, 4.0], [3.0, 4.0], [1.0, 2.0]]

    Args:
        variable: Variable of shape `(rows, ...)`.
        ids: Tensor of whole numbers of shape `(...)`, each in
            `0 .. rows - 1`. Others are an error on CPU, and undefined under
            XLA and on GPU.

    Returns:
        Tensor of the variable's dtype and of shape `ids.shape + (...)`.
    """
    ids = tf.convert_to_tensor(ids)
    if ids.dtype not in (tf.int32, tf.int64):
        ids = tf.cast(ids, tf.int64)
    rows = tf.gather(variable.value, ids)
    scope = RowScope.current()
    return rows if scope is None else scope.read(variable, ids, rows)
