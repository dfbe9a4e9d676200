"""Predictions for whole arrays, in blocks."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import tensorflow as tf

__all__ = ["Predictor"]


class Predictor:
    """Predicts arrays of examples with one traced function.

    `keras.Model.predict` sets up data adapters and callbacks in every call;
    a training loop that validates after each epoch wants none of that.

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> Predictor(model)(np.ones((5, 2), "float32")).shape
    (5,)

    Args:
        model: A built Keras model with one output of shape `(batch,)` or
            `(batch, 1)`.
        block_size: Examples in one call of the model.
    """

    def __init__(self, model: keras.Model, block_size: int = 65_536) -> None:
        self._block_size = block_size
        self._model = model
        self._function: Any = None

    def __call__(self, inputs: Any) -> np.ndarray:
        """Predicts every example.

        Args:
            inputs: Array, or mapping of arrays, of shape `(n, ...)`.

        Returns:
            float32 array of shape `(n,)`.

        Raises:
            ValueError: If ids are negative or no integers.
        """
        _check_ids(self._model, inputs)
        arrays = keras.tree.flatten(inputs)
        count = len(arrays[0])
        blocks = []
        for start in range(0, count, self._block_size):
            part = slice(start, start + self._block_size)
            block = keras.tree.map_structure(
                lambda array, part=part: tf.convert_to_tensor(array[part]),
                inputs,
            )
            if self._function is None:
                self._function = self._trace(block)
            blocks.append(self._function(block).numpy())
        return np.concatenate(blocks) if blocks else np.zeros(0, "float32")

    def _trace(self, block: Any) -> Any:
        # One signature for every block: the last one is shorter.
        signature = keras.tree.map_structure(
            lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
            block,
        )

        def predict(inputs: Any) -> Any:
            outputs = self._model(inputs, training=False)
            return tf.cast(tf.reshape(outputs, [-1]), tf.float32)

        return tf.function(predict, input_signature=[signature])


def _check_ids(model: Any, inputs: Any) -> None:
    """Refuses what a lookup would round or fail on in words of its own."""
    if not isinstance(inputs, Mapping) or not hasattr(model, "operations"):
        return
    for tensor in model.inputs:
        name = tensor._keras_history.operation.name
        if name not in inputs or "int" not in tensor.dtype:
            continue
        ids = np.asarray(inputs[name])
        if ids.dtype.kind not in "iu" or ids.min(initial=0) < 0:
            raise ValueError(
                f"`inputs[{name!r}]` must hold ids: integers from 0 on. "
                f"Received: dtype={ids.dtype}, least {ids.min(initial=0)}"
            )
