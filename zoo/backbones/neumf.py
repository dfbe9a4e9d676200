"""Neural matrix factorization."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras
import tensorflow as tf

from keras_emb.layers import IntoDense, WeightedProduct
from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.parts import (
    hidden_layers,
    rating_layer,
    user_item_inputs,
    user_item_tables,
)

__all__ = ["NeuMF"]


@keras.saving.register_keras_serializable(package="keras_emb")
class NeuMF(Backbone):
    """Generalised matrix factorization beside a perceptron.

    He et al., "Neural Collaborative Filtering", WWW 2017, Section 3.4. Each
    side has two tables, one a path, so that the leading coordinates of a row
    mean something in each. DNIS (arXiv 2006.04466) keeps both in one row of
    width `D = 5d`: d coordinates for the product, 4d for the perceptron.

    >>> model = NeuMF.from_sizes(users=100, items=50, embedding_dim=20)
    >>> import numpy as np
    >>> ids = np.array([1, 2])
    >>> model({"user": ids, "item": ids}).shape
    TensorShape([2, 1])

    Args:
        tables: Table layers named `user_gmf`, `item_gmf`, `user_mlp` and
            `item_mlp`.
        hidden_units: Widths of the hidden layers; `(M, M/2, M/4)` by
            default, with M the width of the user's perceptron table.
        output_bias: First value of the output's bias; the mean rating saves
            epochs.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: `{"user", "item"}`, integer tensors of shape `(batch,)`.

    Output shape:
        `(batch, 1)`.

    Raises:
        ValueError: If a table is missing, or the tables of the product
            differ in width.
    """

    table_features: ClassVar[Mapping[str, str]] = {
        "user_gmf": "user",
        "item_gmf": "item",
        "user_mlp": "user",
        "item_mlp": "item",
    }

    def __init__(
        self,
        tables: Mapping[str, Any],
        hidden_units: Any = None,
        output_bias: float = 0.0,
        **kwargs: Any,
    ) -> None:
        self.check_tables(tables)
        left, right = (tables[f"{side}_gmf"] for side in ("user", "item"))
        if left.output_dim != right.output_dim:
            raise ValueError(
                "`tables` of the product must be of one width. Received: "
                f"user_gmf of {left.output_dim}, item_gmf of "
                f"{right.output_dim}"
            )
        width = tables["user_mlp"].output_dim
        units = list(
            hidden_units or (width, max(width // 2, 1), max(width // 4, 1))
        )
        inputs = user_item_inputs()
        rows = {
            name: table(inputs[self.table_features[name]])
            for name, table in tables.items()
        }
        product = keras.layers.Multiply(name="product")(
            [rows["user_gmf"], rows["item_gmf"]]
        )
        hidden = hidden_layers(_first_layer(rows, units[0]), units[1:], 1)
        both = keras.layers.Concatenate(name="both")([product, hidden])
        output = rating_layer(output_bias)(both)
        super().__init__(inputs, output, tables, **kwargs)
        # Products: the gradient of a square takes longer.
        self.regularized = {
            side: sum(
                keras.ops.sum(row * row, axis=-1)
                for row in (rows[f"{side}_gmf"], rows[f"{side}_mlp"])
            )
            for side in inputs
        }
        self.hidden_units = units
        self.output_bias = output_bias

    @classmethod
    def from_sizes(
        cls,
        *,
        users: int,
        items: int,
        embedding_dim: int,
        equal_widths: bool = False,
        **kwargs: Any,
    ) -> Self:
        """A model with dense tables.

        Args:
            users: Rows of the user tables.
            items: Rows of the item tables.
            embedding_dim: Width D of a side's two tables together, a
                multiple of 5; with `equal_widths` the width of each.
            equal_widths: Whether product and perceptron have tables of one
                width, as in CIESS (arXiv 2304.03501).
            **kwargs: Further arguments of the constructor.

        Raises:
            ValueError: If `embedding_dim` is not a multiple of 5.
        """
        if equal_widths:
            tables = {
                **user_item_tables(users, items, embedding_dim, "gmf"),
                **user_item_tables(users, items, embedding_dim, "mlp"),
            }
            return cls(tables, **kwargs)
        if embedding_dim % 5 or embedding_dim < 5:
            raise ValueError(
                "`embedding_dim` must be a positive multiple of 5: a fifth "
                "goes to the product, the rest to the perceptron. "
                f"Received: embedding_dim={embedding_dim}"
            )
        width = embedding_dim // 5
        tables = {
            **user_item_tables(users, items, width, "gmf"),
            **user_item_tables(users, items, 4 * width, "mlp"),
        }
        return cls(tables, **kwargs)

    def encode(self) -> tuple[Any, Any]:
        """The rows of the product beside those that the first layer adds."""
        users, items = (
            self.encode_rows(
                name,
                keras.ops.arange(self.tables[f"{name}_mlp"].vocabulary_size),
            )
            for name in ("user", "item")
        )
        return users, items

    def encode_rows(self, feature: str, rows: Any) -> Any:
        product, hidden = (
            keras.ops.cast(self.tables[f"{feature}_{path}"](rows), "float32")
            for path in ("gmf", "mlp")
        )
        sums = self.get_layer(f"hidden_0_{feature}")(hidden)
        return keras.ops.concatenate([product, sums], axis=-1)

    def score_codes(self, users: Any, items: Any) -> Any:
        width = self.tables["user_gmf"].output_dim
        hidden = [
            self.get_layer(f"hidden_{index}")
            for index in range(1, len(self.hidden_units))
        ]
        rating = self.get_layer("rating")
        products, sums = items[:, :width], items[:, width:]

        def scores_of(user: Any) -> Any:
            outputs = keras.ops.relu(sums + user[width:])
            for layer in hidden:
                outputs = layer(outputs)
            weights = user[:width] * rating.kernel[:width, 0]
            return (
                keras.ops.matmul(products, weights)
                + keras.ops.matmul(outputs, rating.kernel[width:, 0])
                + rating.bias
            )

        # One user at a time: pairs times hidden units would fill the memory.
        return tf.map_fn(scores_of, users)

    def usages(self) -> list[Any]:
        return [
            WeightedProduct("user_gmf", "item_gmf", self.get_layer("rating")),
            *(
                IntoDense(f"{side}_mlp", self.get_layer(f"hidden_0_{side}"))
                for side in ("user", "item")
            ),
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden_units": self.hidden_units,
            "output_bias": self.output_bias,
        }


def _first_layer(rows: Mapping[str, Any], units: int) -> Any:
    """A dense ReLU layer upon a user's and an item's rows, side by side.

    It is the sum of a layer for each side, so that one user's share of it
    serves several items.
    """
    widths = {side: rows[f"{side}_mlp"].shape[-1] for side in ("user", "item")}
    # Glorot's, of one kernel for both sides.
    limit = (6 / (sum(widths.values()) + units)) ** 0.5
    shares = [
        keras.layers.Dense(
            units,
            use_bias=side == "item",
            kernel_initializer=keras.initializers.RandomUniform(-limit, limit),
            name=f"hidden_0_{side}",
        )(rows[f"{side}_mlp"])
        for side in widths
    ]
    return keras.layers.ReLU(name="hidden_0")(
        keras.layers.Add(name="hidden_0_sum")(shares)
    )
