"""Pieces of backbones that see whole tables."""

from typing import Any

import keras
import tensorflow as tf

__all__ = ["AllRows", "TakeRows"]


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


@keras.saving.register_keras_serializable(package="keras_emb")
class TakeRows(keras.layers.Layer):
    """Rows of a tensor by id.

    Call arguments:
        inputs: Tensor of shape `(rows, dim)`, and ids of shape `(batch,)`.

    Output shape:
        `(batch, dim)`.
    """

    def call(self, inputs: Any) -> Any:
        rows, ids = inputs
        return tf.gather(rows, ids)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        rows, ids = inputs
        return keras.KerasTensor((*ids.shape, rows.shape[-1]), rows.dtype)
