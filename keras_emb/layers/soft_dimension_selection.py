"""Soft selection of coordinates, by block of ids."""

from typing import Any

import keras
from keras import ops

from keras_emb.layers.gather_rows import gather_rows

__all__ = ["SoftDimensionSelection", "UnitInterval"]


@keras.saving.register_keras_serializable(package="keras_emb")
class UnitInterval(keras.constraints.Constraint):
    """Projects weights onto [0, 1].

    >>> import numpy as np
    >>> UnitInterval()(np.array([-1.0, 0.5, 2.0])).numpy().tolist()
    [0.0, 0.5, 1.0]
    """

    def __call__(self, w: Any) -> Any:
        return ops.clip(w, 0.0, 1.0)


@keras.saving.register_keras_serializable(package="keras_emb")
class SoftDimensionSelection(keras.layers.Layer):
    """Weighs every coordinate of an embedding by the block of its id.

    DNIS (arXiv 2006.04466), soft selection: `e' = e * alpha[block]`, with
    `alpha` of shape `(num_blocks, embedding_dim)` kept in [0, 1] by
    projection after every step.

    >>> selection = SoftDimensionSelection(num_blocks=2, embedding_dim=3)
    >>> import numpy as np
    >>> row, block = np.array([[1.0, 2.0, 3.0]]), np.array([1])
    >>> selection(row, block).numpy().tolist()
    [[1.0, 2.0, 3.0]]

    Args:
        num_blocks: Number of blocks.
        embedding_dim: Width of the embeddings.
        init: First value of every weight.
        l1: Weight of the penalty `sum |alpha|`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        embeddings: Tensor of shape `(..., embedding_dim)`.
        block_ids: Integer tensor of shape `(...)`.

    Output shape:
        `(..., embedding_dim)`.

    Raises:
        ValueError: If `init` lies outside [0, 1].
    """

    def __init__(
        self,
        num_blocks: int,
        embedding_dim: int,
        init: float = 1.0,
        l1: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not 0.0 <= init <= 1.0:
            raise ValueError(
                f"`init` must lie in [0, 1]. Received: init={init}"
            )
        self.num_blocks = num_blocks
        self.embedding_dim = embedding_dim
        self.init = init
        self.l1 = l1
        self.alpha = self.add_weight(
            shape=(num_blocks, embedding_dim),
            initializer=keras.initializers.Constant(init),
            constraint=UnitInterval(),
            regularizer=keras.regularizers.L1(l1) if l1 else None,
            autocast=False,
            name="alpha",
        )
        self.built = True

    def build(self, *shapes: Any) -> None:
        self.built = True

    def call(self, embeddings: Any, block_ids: Any) -> Any:
        weights = gather_rows(self.alpha, block_ids)
        # The product in alpha's own precision: alpha moves in small steps.
        product = ops.cast(embeddings, weights.dtype) * weights
        return ops.cast(product, self.compute_dtype)

    def compute_output_shape(
        self, embeddings_shape: Any, block_ids_shape: Any = None
    ) -> tuple[Any, ...]:
        return tuple(embeddings_shape)

    def compute_output_spec(
        self, embeddings: Any, block_ids: Any
    ) -> keras.KerasTensor:
        return keras.KerasTensor(embeddings.shape, dtype=self.compute_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_blocks": self.num_blocks,
            "embedding_dim": self.embedding_dim,
            "init": self.init,
            "l1": self.l1,
        }
