"""Pieces that several backbones are built of."""

from collections.abc import Sequence
from typing import Any

import keras

from keras_emb.layers import DenseEmbedding

__all__ = [
    "hidden_layers",
    "rating_layer",
    "user_item_inputs",
    "user_item_tables",
]


def user_item_inputs() -> dict[str, Any]:
    """Inputs `user` and `item`, integers of shape `(batch,)`."""
    return {
        name: keras.Input((), dtype="int32", name=name)
        for name in ("user", "item")
    }


def user_item_tables(
    users: int,
    items: int,
    width: int,
    path: str = "",
    initializer: Any = "glorot_normal",
) -> dict[str, Any]:
    """Dense tables `user` and `item`, with `_<path>` behind if given.

    Args:
        users: Rows of the user table.
        items: Rows of the item table.
        width: Width of both.
        path: Which part of the model they belong to.
        initializer: Of both tables.
    """
    ending = f"_{path}" if path else ""
    return {
        f"{side}{ending}": DenseEmbedding(
            rows,
            width,
            # Each table its own, lest they start with the same values.
            embeddings_initializer=keras.initializers.get(initializer).clone(),
            name=f"{side}{ending}_table",
        )
        for side, rows in (("user", users), ("item", items))
    }


def hidden_layers(inputs: Any, units: Sequence[int], first: int = 0) -> Any:
    """Dense ReLU layers `hidden_0`, `hidden_1`, ... one upon the other.

    Args:
        inputs: Tensor of shape `(batch, width)`.
        units: Width of each layer.
        first: Number in the name of the first of them.
    """
    outputs = inputs
    for index, size in enumerate(units, first):
        layer = keras.layers.Dense(
            size, activation="relu", name=f"hidden_{index}"
        )
        outputs = layer(outputs)
    return outputs


def rating_layer(output_bias: float) -> keras.layers.Dense:
    """The last layer, of one unit, in float32 whatever the policy.

    Args:
        output_bias: First value of its bias.
    """
    return keras.layers.Dense(
        1,
        bias_initializer=keras.initializers.Constant(output_bias),
        dtype="float32",
        name="rating",
    )
