"""Matrix factorization with biases."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import keras

from keras_emb.layers import DenseEmbedding, DotProduct
from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.parts import (
    user_item_inputs,
    user_item_tables,
)

__all__ = ["MatrixFactorization"]


@keras.saving.register_keras_serializable(package="keras_emb")
class Bias(keras.layers.Layer):
    """Adds one trained number."""

    def __init__(self, initial: float = 0.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.initial = initial

    def build(self, input_shape: Any) -> None:
        self.bias = self.add_weight(
            shape=(),
            initializer=keras.initializers.Constant(self.initial),
            name="bias",
        )

    def call(self, inputs: Any) -> Any:
        return inputs + self.bias

    def compute_output_shape(self, input_shape: Any) -> Any:
        return input_shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "initial": self.initial}


@keras.saving.register_keras_serializable(package="keras_emb")
class MatrixFactorization(Backbone):
    """Dot product of user and item vectors, with biases.

    Koren, Bell and Volinsky, "Matrix Factorization Techniques for
    Recommender Systems", IEEE Computer 2009, Equation 4:
    `rating = mean + b_user + b_item + p_user . q_item`. The biases are tables
    of one coordinate that no search touches.

    >>> model = MatrixFactorization.from_sizes(
    ...     users=100, items=50, embedding_dim=8
    ... )
    >>> import numpy as np
    >>> ids = np.array([1, 2])
    >>> model({"user": ids, "item": ids}).shape
    TensorShape([2, 1])

    Args:
        tables: Table layers named `user` and `item`, of equal width.
        reduction: `"mean"` divides the dot product by its width, as the DNIS
            reference code does: larger vectors for the same rating, whose
            early steps fit popular ids first; overfits far less than
            `"sum"`.
        output_bias: First value of the mean; the mean rating saves epochs.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: `{"user", "item"}`, integer tensors of shape `(batch,)`.

    Output shape:
        `(batch, 1)`.

    Raises:
        ValueError: If a table is missing or the widths differ.
    """

    table_features: ClassVar[Mapping[str, str]] = {
        "user": "user",
        "item": "item",
    }

    def __init__(
        self,
        tables: Mapping[str, Any],
        reduction: Literal["mean", "sum"] = "mean",
        output_bias: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.check_tables(tables)
        if reduction not in ("mean", "sum"):
            raise ValueError(
                "`reduction` must be 'mean' or 'sum'. "
                f"Received: reduction={reduction!r}"
            )
        inputs = user_item_inputs()
        rows = {name: tables[name](inputs[name]) for name in inputs}
        output = keras.layers.Dot(axes=-1, name="dot")(
            [rows["user"], rows["item"]]
        )
        if reduction == "mean":
            width = tables["user"].output_dim
            output = keras.layers.Rescaling(1.0 / width, name="mean")(output)
        for name in inputs:
            bias = DenseEmbedding(
                tables[name].vocabulary_size,
                1,
                embeddings_initializer="zeros",
                name=f"{name}_bias",
            )
            output = keras.layers.Add(name=f"add_{name}_bias")(
                [output, bias(inputs[name])]
            )
        output = Bias(output_bias, dtype="float32", name="rating")(output)
        super().__init__(inputs, output, tables, **kwargs)
        self.regularized = {
            name: keras.ops.sum(row**2, axis=-1) for name, row in rows.items()
        }
        self.reduction = reduction
        self.output_bias = output_bias

    @classmethod
    def from_sizes(
        cls, *, users: int, items: int, embedding_dim: int, **kwargs: Any
    ) -> Self:
        """A model with dense tables.

        Args:
            users: Rows of the user table.
            items: Rows of the item table.
            embedding_dim: Width of both tables.
            **kwargs: Further arguments of the constructor.
        """
        return cls(user_item_tables(users, items, embedding_dim), **kwargs)

    def encode(self) -> tuple[Any, Any]:
        """Vectors whose dot products are the scores, biases included."""
        users, items = (
            self.encode_rows(
                name, keras.ops.arange(self.tables[name].vocabulary_size)
            )
            for name in ("user", "item")
        )
        return users, items

    def encode_rows(self, feature: str, rows: Any) -> Any:
        vectors = keras.ops.cast(self.tables[feature](rows), "float32")
        bias = self.get_layer(f"{feature}_bias")(rows)
        if feature == "item":
            ones = keras.ops.ones_like(bias)
            return keras.ops.concatenate([vectors, ones, bias], axis=-1)
        if self.reduction == "mean":
            vectors /= self.tables["user"].output_dim
        offset = self.get_layer("rating")(bias)
        ones = keras.ops.ones_like(offset)
        return keras.ops.concatenate([vectors, offset, ones], axis=-1)

    def usages(self) -> list[Any]:
        return [DotProduct("user", "item")]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "reduction": self.reduction,
            "output_bias": self.output_bias,
        }
