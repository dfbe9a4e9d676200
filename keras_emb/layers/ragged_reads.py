"""Reading rows of different lengths as they are."""

import contextvars
from collections.abc import Callable
from types import TracebackType
from typing import Any

import tensorflow as tf

__all__ = ["RaggedReads", "pad_rows", "ragged_positions"]

_current: contextvars.ContextVar["RaggedReads | None"] = contextvars.ContextVar(
    "keras_emb_ragged_reads", default=None
)


class RaggedReads:
    """Lets compact tables gather nothing but the values that are stored.

    The lookups traced within cost what the rows are long, not what they are
    wide. Their operations run on a CPU, in TensorFlow: neither XLA nor LiteRT
    has them, so it is a choice of the one who exports. Each table is traced
    once, however often it is asked.

    >>> import numpy as np, keras_emb
    >>> table = keras_emb.layers.MixedDimensionEmbedding.from_rows(
    ...     np.ones((2, 3)), sizes=[2, 0]
    ... )
    >>> with RaggedReads():
    ...     table(np.array([0, 1])).numpy().tolist()
    [[1.0, 1.0, 0.0], [0.0, 0.0, 0.0]]

    Args:
        rows_only: Whether nothing but rows of the tables is asked for, so
            that no lookup has to check its ids.
    """

    def __init__(self, rows_only: bool = False) -> None:
        self.rows_only = rows_only
        self._traced: dict[Any, Any] = {}

    @staticmethod
    def current() -> "RaggedReads | None":
        """The innermost one, if any."""
        return _current.get()

    def call(self, lookup: Callable[[Any], Any], rows: Any) -> Any:
        """Asks a table through the function that is traced for it.

        Args:
            lookup: The table's method that is to be traced.
            rows: Integers of shape `(n,)`.

        Returns:
            What `lookup` returns for them.
        """
        if lookup not in self._traced:
            signature = [tf.TensorSpec((None,), rows.dtype)]
            self._traced[lookup] = tf.function(
                lookup, input_signature=signature, autograph=False
            )
        return self._traced[lookup](rows)

    def __enter__(self) -> "RaggedReads":
        self._token = _current.set(self)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _current.reset(self._token)


def ragged_positions(starts: Any, sizes: Any) -> tuple[Any, Any]:
    """Positions of the values of rows, one after the other.

    >>> positions, splits = ragged_positions([4, 9], [2, 1])
    >>> positions.numpy().tolist(), splits.numpy().tolist()
    ([4, 5, 9], [0, 2, 3])

    Args:
        starts: Position of the first value of each row, `(rows,)`.
        sizes: How many values each has, `(rows,)`, of the same type.

    Returns:
        Positions of shape `(values,)`, and where in them each row begins and
        the last one ends, int64 of shape `(rows + 1,)`.
    """
    starts, sizes = tf.convert_to_tensor(starts), tf.convert_to_tensor(sizes)
    ranges = tf.raw_ops.RaggedRange(
        starts=starts,
        limits=starts + sizes,
        deltas=tf.ones((), starts.dtype),
        Tsplits=tf.int64,
    )
    return ranges.rt_dense_values, ranges.rt_nested_splits


def pad_rows(values: Any, splits: Any, width: int) -> Any:
    """Rows of one width, with zeros behind.

    >>> pad_rows(tf.constant([1.0, 2.0, 3.0]), [0, 2, 3], 3).numpy().tolist()
    [[1.0, 2.0, 0.0], [3.0, 0.0, 0.0]]

    Args:
        values: Values of all rows, `(values,)`.
        splits: See `ragged_positions`.
        width: At least the length of the longest row.

    Returns:
        Tensor of shape `(rows, width)`.
    """
    return tf.raw_ops.RaggedTensorToTensor(
        shape=tf.constant([-1, width], tf.int64),
        values=values,
        default_value=tf.zeros((), values.dtype),
        row_partition_tensors=[tf.convert_to_tensor(splits, tf.int64)],
        row_partition_types=["ROW_SPLITS"],
    )
