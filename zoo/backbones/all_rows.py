"""What tables answer for all of their rows."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

__all__ = ["AllRows", "all_rows"]


@keras.saving.register_keras_serializable(package="keras_emb")
class AllRows(keras.layers.Layer):
    """The ids of all rows of a table, whatever it is called with.

    Args:
        count: Number of rows.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, count: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.count = count

    def call(self, ids: Any) -> Any:
        return tf.range(self.count)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor((self.count,), dtype="int32")

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "count": self.count}


def all_rows(
    tables: Mapping[str, Any], inputs: Mapping[str, Any] | None = None
) -> tuple[Any, Any]:
    """What the tables `user` and `item` answer for all of their rows.

    Args:
        tables: The tables by name.
        inputs: Symbolic inputs of a functional model under construction;
            without them the rows are read here and now.

    Returns:
        Tensors of shapes `(users, dim)` and `(items, dim)`.
    """
    rows = []
    for name in ("user", "item"):
        ids = AllRows(tables[name].vocabulary_size)
        rows.append(tables[name](ids(inputs[name] if inputs else None)))
    return rows[0], rows[1]
