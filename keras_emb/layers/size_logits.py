"""Free weights of candidate sizes for every id."""

from typing import Any

import keras
from keras import ops

from keras_emb.layers.gather_rows import gather_rows

__all__ = ["SizeLogits"]


@keras.saving.register_keras_serializable(package="keras_emb")
class SizeLogits(keras.layers.Layer):
    """Weighs the candidate sizes of every id by numbers of its own.

    The DARTS baseline of AutoEmb (arXiv 2002.11252): no controller, every
    id learns `num_sizes` free logits.

    >>> import numpy as np
    >>> SizeLogits(vocabulary_size=9, num_sizes=2)(np.array([4])).numpy()
    array([[0.5, 0.5]], dtype=float32)

    Args:
        vocabulary_size: Number of rows.
        num_sizes: Number of candidates.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`.

    Output shape:
        `(..., num_sizes)`, summing to one.
    """

    inputs = ("ids",)

    def __init__(
        self, vocabulary_size: int, num_sizes: int, **kwargs: Any
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.num_rows = int(vocabulary_size)
        self.num_sizes = int(num_sizes)
        self.logits = self.add_weight(
            shape=(self.num_rows, self.num_sizes),
            initializer=keras.initializers.Constant(1.0 / self.num_sizes),
            name="logits",
        )
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any, training: bool | None = None) -> Any:
        return ops.softmax(gather_rows(self.logits, ids))

    def compute_output_spec(
        self, ids: Any, training: bool | None = None
    ) -> keras.KerasTensor:
        return keras.KerasTensor((*ids.shape, self.num_sizes), dtype="float32")

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.num_rows,
            "num_sizes": self.num_sizes,
        }
