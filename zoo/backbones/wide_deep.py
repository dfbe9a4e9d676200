"""Wide and deep."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

from keras_emb.zoo.backbones.field_backbone import FieldBackbone
from keras_emb.zoo.backbones.matrix_factorization import Bias
from keras_emb.zoo.backbones.parts import hidden_layers

__all__ = ["WideDeep"]


@keras.saving.register_keras_serializable(package="keras_emb")
class WideDeep(FieldBackbone):
    """A linear term beside dense layers on all fields' vectors.

    Cheng et al., "Wide & Deep Learning for Recommender Systems", DLRS 2016,
    Equation 3, without crossed features; widths of DNIS (arXiv 2006.04466).

    >>> model = WideDeep.from_sizes(
    ...     fields={"user": 9, "item": 7, "hour": 25}, embedding_dim=4
    ... )
    >>> import numpy as np
    >>> ids = np.array([1, 2])
    >>> model({"user": ids, "item": ids, "hour": ids}).shape
    TensorShape([2, 1])

    Args:
        tables: Table layers by field, or one named `fields` of all fields.
        fields: Rows of each field.
        multi_valued: How many values an example has at most, by field; the
            mean of their vectors counts.
        numeric: Fields with an input `<field>_value` that multiplies their
            vectors.
        hidden_units: Widths of the deep part's layers.
        output_bias: First value of the output's bias; the logit of the mean
            label saves epochs.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: Integer tensors of shape `(batch,)` by field, `(batch, m)` for
            fields of several values, and the float `<field>_value`.

    Output shape:
        `(batch, 1)`: a logit.

    Raises:
        ValueError: If tables and fields do not fit.
    """

    def __init__(
        self,
        tables: Mapping[str, Any],
        fields: Mapping[str, int],
        multi_valued: Mapping[str, int] | None = None,
        numeric: Sequence[str] = (),
        hidden_units: Sequence[int] = (400, 400, 400),
        output_bias: float = 0.0,
        **kwargs: Any,
    ) -> None:
        multi_valued = multi_valued or {}
        inputs, vectors, linear = self.embed(
            tables, fields, multi_valued, numeric
        )
        flat = keras.layers.Flatten(name="flat")(vectors)
        deep = keras.layers.Dense(1, use_bias=False, name="deep")(
            hidden_layers(flat, hidden_units)
        )
        output = keras.layers.Add(name="sum")([deep, linear])
        output = Bias(output_bias, dtype="float32", name="logit")(output)
        super().__init__(inputs, output, tables, **kwargs)
        self.keep_fields(fields, multi_valued, numeric)
        self.hidden_units = list(hidden_units)
        self.output_bias = output_bias

    def usages(self) -> list[Any]:
        return self.into_first_layer()

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "hidden_units": list(self.hidden_units),
            "output_bias": self.output_bias,
        }
