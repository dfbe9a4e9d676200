"""Mixing of candidate vectors."""

from typing import Any, Literal

import keras
from keras import ops

__all__ = ["SoftSelection"]


@keras.saving.register_keras_serializable(package="keras_emb")
class SoftSelection(keras.layers.Layer):
    """Weighted sum of candidates, or the heaviest of them alone.

    AutoEmb (arXiv 2002.11252), soft selection: `E = sum_n w_n e_n`. In hard
    mode the candidate of the largest weight is returned as it is, and the
    gradient is that of the weighted sum (straight-through), so the weights
    still learn.

    >>> import numpy as np
    >>> candidates = np.array([[[1.0, 1.0], [3.0, 5.0]]])
    >>> weights = np.array([[0.25, 0.75]])
    >>> SoftSelection()(candidates, weights).numpy().tolist()
    [[2.5, 4.0]]
    >>> SoftSelection(mode="hard")(candidates, weights).numpy().tolist()
    [[3.0, 5.0]]

    Args:
        mode: `"soft"` or `"hard"`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        candidates: Tensor of shape `(..., num_sizes, dim)`.
        weights: Tensor of shape `(..., num_sizes)`, summing to one.

    Output shape:
        `(..., dim)`.

    Raises:
        ValueError: If `mode` is unknown.
    """

    def __init__(
        self, mode: Literal["soft", "hard"] = "soft", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if mode not in ("soft", "hard"):
            raise ValueError(
                f"`mode` must be 'soft' or 'hard'. Received: mode={mode!r}"
            )
        self.mode = mode
        self.built = True

    def build(self, *shapes: Any) -> None:
        self.built = True

    def call(self, candidates: Any, weights: Any) -> Any:
        if self.mode == "hard":
            chosen = ops.one_hot(
                ops.argmax(weights, axis=-1),
                weights.shape[-1],
                dtype=weights.dtype,
            )
            # Adds an exact zero, through which the gradient passes.
            weights = chosen + (weights - ops.stop_gradient(weights))
        weights = ops.cast(weights, self.compute_dtype)
        return ops.sum(ops.expand_dims(weights, -1) * candidates, axis=-2)

    def compute_output_shape(
        self, candidates_shape: Any, weights_shape: Any = None
    ) -> tuple[Any, ...]:
        return (*candidates_shape[:-2], candidates_shape[-1])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "mode": self.mode}
