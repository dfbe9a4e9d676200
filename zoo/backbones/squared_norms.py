"""Squared lengths of a batch's rows, read from whole tables."""

from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

__all__ = ["SquaredNorms", "squared_norms"]


@keras.saving.register_keras_serializable(package="keras_emb")
class SquaredNorms(keras.layers.Layer):
    """Squared lengths of some rows of a tensor.

    Call arguments:
        inputs: Tensor of shape `(rows, dim)`, and ids of shape `(batch,)`.

    Output shape:
        `(batch,)`.
    """

    def call(self, inputs: Any) -> Any:
        rows, ids = inputs
        return tf.gather(tf.reduce_sum(rows**2, axis=-1), ids)

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor(inputs[1].shape, self.compute_dtype)


def squared_norms(
    rows: tuple[Any, Any], inputs: Mapping[str, Any]
) -> dict[str, Any]:
    """Squared lengths of the rows of a batch's users and items.

    Args:
        rows: Rows of all users and of all items.
        inputs: Symbolic inputs.
    """
    return {
        name: SquaredNorms(dtype="float32")([whole, inputs[name]])
        for name, whole in zip(("user", "item"), rows, strict=True)
    }
