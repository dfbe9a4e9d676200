"""Ids of many fields as rows of one table."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = ["FieldOffsets"]


@keras.saving.register_keras_serializable(package="keras_emb")
class FieldOffsets(keras.layers.Layer):
    """Moves the ids of each field behind the rows of the fields before it.

    One table then serves all fields. An id outside its field would be a row
    of another one: it is answered as the field's own row 0, the unknown.

    >>> layer = FieldOffsets({"user": 3, "item": 2})
    >>> rows = layer({"user": np.array([2, 7]), "item": np.array([1, 0])})
    >>> ops.convert_to_numpy(rows).tolist()
    [[2, 4], [0, 3]]

    Args:
        fields: Rows of each field, in the order of the table.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensors of shape `(batch,)`, or `(batch, m)` for a field
            of several values, by field.

    Output shape:
        `(batch, places)`, integers.
    """

    def __init__(self, fields: Mapping[str, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.fields = {name: int(rows) for name, rows in fields.items()}
        ends = np.cumsum(list(self.fields.values()))
        self.starts = [0, *ends[:-1].tolist()]

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Mapping[str, Any]) -> Any:
        columns = {
            name: ids[name]
            if len(ids[name].shape) == 2
            else ops.expand_dims(ids[name], 1)
            for name in self.fields
        }
        places = [columns[name].shape[1] for name in self.fields]
        rows = np.repeat(list(self.fields.values()), places).astype("int32")
        starts = np.repeat(self.starts, places).astype("int32")
        joined = ops.cast(
            ops.concatenate(list(columns.values()), axis=1), "int32"
        )
        known = ops.logical_and(joined >= 0, joined < rows)
        return ops.where(known, joined, 0) + starts

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        shapes = [input_shape[name] for name in self.fields]
        places = sum(1 if len(shape) == 1 else shape[1] for shape in shapes)
        return (shapes[0][0], places)

    def compute_output_spec(self, ids: Mapping[str, Any]) -> keras.KerasTensor:
        shapes = {name: ids[name].shape for name in self.fields}
        return keras.KerasTensor(
            self.compute_output_shape(shapes), dtype="int32"
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "fields": self.fields}
