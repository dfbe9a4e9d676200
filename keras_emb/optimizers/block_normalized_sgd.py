"""Gradient descent with gradients normalised block by block."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

__all__ = ["BlockNormalizedSGD", "normalize_blocks"]


def normalize_blocks(gradient: Any, epsilon: float = 1e-8) -> Any:
    """Divides every row of a gradient by the mean size of its entries.

    DNIS (Cheng et al., arXiv 2006.04466), Equation 4: popular and rare
    blocks get gradients of very different magnitude; afterwards every block
    moves by the learning rate a coordinate, on average.

    >>> normalize_blocks([[1.0, -3.0]]).numpy().tolist()
    [[0.5, -1.5]]

    Args:
        gradient: Tensor of shape `(num_blocks, dim)`.
        epsilon: Keeps an all-zero row at zero.

    Returns:
        Tensor of the same shape.
    """
    # A gradient through lookups comes as slices; the whole is small.
    gradient = tf.convert_to_tensor(gradient)
    mean = ops.mean(ops.abs(gradient), axis=-1, keepdims=True)
    return gradient / (mean + epsilon)


@keras.saving.register_keras_serializable(package="keras_emb")
class BlockNormalizedSGD(keras.optimizers.SGD):
    """Plain gradient descent on block-normalised gradients.

    The optimizer of DNIS's soft selection layer: no momentum, gradients
    normalised by `normalize_blocks`. Bounds on the values are the variable's
    own constraint.

    >>> import keras_emb
    >>> optimizer = keras_emb.optimizers.BlockNormalizedSGD(1e-2)

    Args:
        learning_rate: Step of an average coordinate.
        epsilon: See `normalize_blocks`.
        name: Name of the optimizer.
        **kwargs: Arguments of `keras.optimizers.SGD`.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        epsilon: float = 1e-8,
        name: str = "block_normalized_sgd",
        **kwargs: Any,
    ) -> None:
        super().__init__(learning_rate=learning_rate, name=name, **kwargs)
        self.epsilon = epsilon

    def update_step(
        self, gradient: Any, variable: Any, learning_rate: Any
    ) -> None:
        """Updates one variable of shape `(num_blocks, dim)`."""
        super().update_step(
            normalize_blocks(gradient, self.epsilon), variable, learning_rate
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "epsilon": self.epsilon}
