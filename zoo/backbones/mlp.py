"""Multi-layer perceptron on user and item vectors."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras

from keras_emb.layers import IntoDense
from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.parts import (
    hidden_layers,
    rating_layer,
    user_item_inputs,
    user_item_tables,
)

__all__ = ["MLP"]


@keras.saving.register_keras_serializable(package="keras_emb")
class MLP(Backbone):
    """Concatenated user and item vectors through dense layers.

    The MLP of DNIS (arXiv 2006.04466): `2K -> 2K -> K -> 1` with ReLU.

    >>> model = MLP.from_sizes(users=100, items=50, embedding_dim=8)
    >>> import numpy as np
    >>> ids = np.array([1, 2])
    >>> model({"user": ids, "item": ids}).shape
    TensorShape([2, 1])

    Args:
        tables: Table layers named `user` and `item`.
        hidden_units: Widths of the hidden layers; `(2K, K)` by default, with
            K the width of the user table.
        output_bias: First value of the output's bias; the mean rating saves
            epochs.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: `{"user", "item"}`, integer tensors of shape `(batch,)`.

    Output shape:
        `(batch, 1)`.

    Raises:
        ValueError: If a table is missing.
    """

    table_features: ClassVar[Mapping[str, str]] = {
        "user": "user",
        "item": "item",
    }

    def __init__(
        self,
        tables: Mapping[str, Any],
        hidden_units: Any = None,
        output_bias: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.check_tables(tables)
        width = tables["user"].output_dim
        units = list(hidden_units or (2 * width, width))
        inputs = user_item_inputs()
        rows = keras.layers.Concatenate(name="concatenate")(
            [tables[name](inputs[name]) for name in inputs]
        )
        output = rating_layer(output_bias)(hidden_layers(rows, units))
        super().__init__(inputs, output, tables, **kwargs)
        self.hidden_units = units
        self.output_bias = output_bias

    @classmethod
    def from_sizes(
        cls, *, users: int, items: int, embedding_dim: int, **kwargs: Any
    ) -> Self:
        """A model with dense tables.

        Args:
            users: Rows of the user table.
            items: Rows of the item table.
            embedding_dim: Width K of both tables.
            **kwargs: Further arguments of the constructor.
        """
        return cls(user_item_tables(users, items, embedding_dim), **kwargs)

    def usages(self) -> list[Any]:
        first = self.get_layer("hidden_0")
        return [
            IntoDense("user", first),
            IntoDense("item", first, self.tables["user"].output_dim),
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "output_bias": self.output_bias,
        }
