"""Products of all pairs of vectors."""

from typing import Any, Literal

import keras
from keras import ops

__all__ = ["PairwiseInteraction"]


@keras.saving.register_keras_serializable(package="keras_emb")
class PairwiseInteraction(keras.layers.Layer):
    """Sum of the inner products of all pairs of fields.

    Rendle, "Factorization Machines", ICDM 2010, Lemma 3.1:
    `1/2 sum_k [(sum_f e_fk)^2 - sum_f e_fk^2]`, in time linear in the number
    of fields, where `keras_rs.layers.DotInteraction` holds every product.

    >>> import numpy as np
    >>> layer = PairwiseInteraction("sum")
    >>> float(layer(np.array([[[1.0], [2.0], [3.0]]]))[0, 0])
    11.0

    Args:
        reduction: `"mean"` divides by the width, as the DNIS reference code
            does, or `"sum"`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        vectors: Float tensor of shape `(batch, fields, dim)`.

    Output shape:
        `(batch, 1)`.
    """

    def __init__(
        self, reduction: Literal["mean", "sum"] = "mean", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if reduction not in ("mean", "sum"):
            raise ValueError(
                "`reduction` must be 'mean' or 'sum'. "
                f"Received: reduction={reduction!r}"
            )
        self.reduction = reduction

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, vectors: Any) -> Any:
        square_of_sum = ops.square(ops.sum(vectors, axis=1))
        products = square_of_sum - ops.sum(ops.square(vectors), axis=1)
        reduce = ops.mean if self.reduction == "mean" else ops.sum
        return 0.5 * reduce(products, axis=1, keepdims=True)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (input_shape[0], 1)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "reduction": self.reduction}
