"""Raw ids inside a SavedModel."""

from typing import Any

import numpy as np
import numpy.typing as npt
import tensorflow as tf
from tensorflow.python.ops.lookup_ops import TableInitializerBase

from keras_emb.datasets import Vocabulary

__all__ = ["IdTable", "raw_array"]


class IdTable(tf.Module):
    """A vocabulary as a server reads it.

    The raw ids are stored once, as a variable in the smallest type that holds
    them; the hash table that finds their rows is filled from it when the
    model is loaded, so that nothing names a file or a folder.

    >>> ids = IdTable(Vocabulary([50, 7, 181]))
    >>> ids.rows(tf.constant([7, 8], tf.int64)).numpy().tolist()
    [2, 0]
    >>> ids.raw(tf.constant([3, 0])).numpy().tolist()
    [181, -1]

    Args:
        vocabulary: Raw ids of the rows from 1 on.

    Attributes:
        dtype: What raw ids are: `tf.int64` or `tf.string`.
        raw_ids: The variable.
    """

    def __init__(self, vocabulary: Vocabulary) -> None:
        super().__init__()
        raw_ids = vocabulary.raw_ids
        self.dtype = tf.string if raw_ids.dtype.kind == "U" else tf.int64
        # What stands for row 0, which no raw id means.
        self.nothing: str | int = "" if self.dtype is tf.string else -1
        self._nothing_is_known = vocabulary.rows([self.nothing]).any()
        self.raw_ids = tf.Variable(_compact(raw_ids), trainable=False)
        self.table = tf.lookup.StaticHashTable(
            _FromVariable(self.raw_ids, self.dtype), default_value=0
        )

    def check_nothing(self, name: str) -> None:
        """Refuses ids among which there is one that stands for none.

        Args:
            name: Of the input that is filled with such ids, or of the output
                that answers with them.

        Raises:
            ValueError: If `-1` or `""` is an id.
        """
        if self._nothing_is_known:
            raise ValueError(
                f"`vocabularies[{name!r}]` must not hold -1 or '', which "
                f"stand for no id. Received: {self.nothing!r} among the ids"
            )

    def rows(self, raw: Any) -> Any:
        """Rows of raw ids.

        Args:
            raw: Tensor of `dtype`, of any shape.

        Returns:
            int32 tensor of the same shape; 0 for unknown ids.
        """
        return self.table.lookup(raw)

    def raw(self, rows: Any) -> Any:
        """Raw ids of rows.

        Args:
            rows: Integer tensor of any shape.

        Returns:
            Tensor of `dtype`; `-1` or `""` for row 0.
        """
        found = tf.gather(self.raw_ids, tf.maximum(rows - 1, 0))
        if self.dtype is not tf.string:
            found = tf.cast(found, self.dtype)
        return tf.where(rows > 0, found, tf.constant(self.nothing, self.dtype))


class _FromVariable(TableInitializerBase):
    """Fills a table from a variable, which is restored before."""

    def __init__(self, raw_ids: tf.Variable, dtype: tf.DType) -> None:
        super().__init__(dtype, tf.int32)
        self._raw_ids = raw_ids

    def initialize(self, table: Any) -> Any:
        keys = self._raw_ids.read_value()
        if self.key_dtype is not tf.string:
            keys = tf.cast(keys, self.key_dtype)
        return tf.raw_ops.InitializeTableV2(
            table_handle=table.resource_handle,
            keys=keys,
            values=tf.range(1, tf.size(keys) + 1),
        )


def raw_array(raw_ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Raw ids as a request holds them: int64, or objects of type bytes.

    >>> raw_array(np.array(["a"]))
    array([b'a'], dtype=object)

    Args:
        raw_ids: Integers or strings.

    Returns:
        Array of the same shape.
    """
    if raw_ids.dtype.kind == "U":
        return np.char.encode(raw_ids, "utf-8").astype(object)
    return raw_ids.astype(np.int64)


def _compact(raw_ids: npt.NDArray[Any]) -> npt.NDArray[Any]:
    raw_ids = raw_array(raw_ids)
    if raw_ids.dtype == object:
        return raw_ids
    for dtype in ("uint8", "uint16", "int32"):
        bounds = np.iinfo(dtype)
        if bounds.min <= raw_ids.min() and raw_ids.max() <= bounds.max:
            return raw_ids.astype(dtype)
    return raw_ids
