"""Factorization machine."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras

from keras_emb.layers import SharedSpace
from keras_emb.zoo.backbones.field_backbone import FieldBackbone
from keras_emb.zoo.backbones.matrix_factorization import Bias
from keras_emb.zoo.backbones.pairwise_interaction import (
    PairwiseInteraction,
)

__all__ = ["FactorizationMachine"]


@keras.saving.register_keras_serializable(package="keras_emb")
class FactorizationMachine(FieldBackbone):
    """Inner products of all pairs of fields, and a linear term.

    Rendle, "Factorization Machines", ICDM 2010, Equation 1; the FM of DNIS
    (arXiv 2006.04466), whose code takes the mean over the coordinates.

    >>> model = FactorizationMachine.from_sizes(
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
        output_bias: float = 0.0,
        **kwargs: Any,
    ) -> None:
        multi_valued = multi_valued or {}
        inputs, vectors, linear = self.embed(
            tables, fields, multi_valued, numeric
        )
        pairs = PairwiseInteraction(reduction, name="pairs")(vectors)
        output = keras.layers.Add(name="sum")([pairs, linear])
        output = Bias(output_bias, dtype="float32", name="logit")(output)
        super().__init__(inputs, output, tables, **kwargs)
        self.keep_fields(fields, multi_valued, numeric)
        self.reduction = reduction
        self.output_bias = output_bias

    def usages(self) -> list[Any]:
        return [SharedSpace(tuple(self.tables))]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "reduction": self.reduction,
            "output_bias": self.output_bias,
        }
