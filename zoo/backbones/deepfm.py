"""Factorization machine and dense layers on the same vectors."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras

from keras_emb.layers import SharedSpace
from keras_emb.zoo.backbones.field_backbone import FieldBackbone
from keras_emb.zoo.backbones.matrix_factorization import Bias
from keras_emb.zoo.backbones.pairwise_interaction import (
    PairwiseInteraction,
)
from keras_emb.zoo.backbones.parts import hidden_layers

__all__ = ["DeepFM"]


@keras.saving.register_keras_serializable(package="keras_emb")
class DeepFM(FieldBackbone):
    """Pairwise products, a linear term, and dense layers, on one table.

    Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR
    Prediction", IJCAI 2017, Equation 1; mean and widths of DNIS
    (arXiv 2006.04466).

    >>> model = DeepFM.from_sizes(
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
        reduction: `"mean"` divides the pairwise term by the width, as the
            DNIS reference code does; `"sum"` does not.
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
        reduction: Literal["mean", "sum"] = "mean",
        hidden_units: Sequence[int] = (400, 400, 400),
        output_bias: float = 0.0,
        **kwargs: Any,
    ) -> None:
        multi_valued = multi_valued or {}
        inputs, vectors, linear = self.embed(
            tables, fields, multi_valued, numeric
        )
        pairs = PairwiseInteraction(reduction, name="pairs")(vectors)
        flat = keras.layers.Flatten(name="flat")(vectors)
        deep = keras.layers.Dense(1, use_bias=False, name="deep")(
            hidden_layers(flat, hidden_units)
        )
        output = keras.layers.Add(name="sum")([pairs, deep, linear])
        output = Bias(output_bias, dtype="float32", name="logit")(output)
        super().__init__(inputs, output, tables, **kwargs)
        self.keep_fields(fields, multi_valued, numeric)
        self.reduction = reduction
        self.hidden_units = list(hidden_units)
        self.output_bias = output_bias

    def usages(self) -> list[Any]:
        # The pairwise term allows rotations only, which the first layer of
        # the deep part undoes.
        return [SharedSpace(tuple(self.tables)), *self.into_first_layer()]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "reduction": self.reduction,
            "hidden_units": list(self.hidden_units),
            "output_bias": self.output_bias,
        }
