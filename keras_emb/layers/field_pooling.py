"""One vector a field."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

__all__ = ["FieldPooling"]


@keras.saving.register_keras_serializable(package="keras_emb")
class FieldPooling(keras.layers.Layer):
    """Averages the values of a field, and multiplies by its number.

    The vector of a field of several values is the mean over those that are
    known, and that of row 0 where none is. The vector of a numeric field is
    multiplied by its value (DNIS, arXiv 2006.04466: `e_i x_i`).

    >>> import numpy as np
    >>> layer = FieldPooling({"user": 1, "genres": 2})
    >>> rows = np.array([[[1.0], [4.0], [8.0]], [[1.0], [4.0], [0.5]]])
    >>> genres = np.array([[3, 5], [3, 0]])
    >>> pooled = layer(rows, {"genres": genres}, {"user": np.array([1.0, 2.0])})
    >>> ops.convert_to_numpy(pooled)[..., 0].tolist()
    [[1.0, 6.0], [2.0, 4.0]]

    Args:
        places: How many values each field has, in the order of the rows.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        rows: Float tensor of shape `(batch, places, dim)`.
        ids: Integer tensors of shape `(batch, m)`, by field of several
            values.
        values: Float tensors of shape `(batch,)`, by numeric field.

    Output shape:
        `(batch, fields, dim)`.
    """

    # Row 0 keeps its place when rows are renumbered.
    reads_unknown_only = True

    def __init__(self, places: Mapping[str, int], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.places = {name: int(count) for name, count in places.items()}

    def build(self, *args: Any, **kwargs: Any) -> None:
        self.built = True

    def call(
        self, rows: Any, ids: Mapping[str, Any], values: Mapping[str, Any]
    ) -> Any:
        pooled = []
        # One split, as the gradient of a slice is as large as all places.
        ends = np.cumsum(list(self.places.values()))[:-1].tolist()
        pieces = ops.split(rows, ends, axis=1)
        for name, piece in zip(self.places, pieces, strict=True):
            if self.places[name] > 1:
                weights = ops.cast(_weights(ids[name]), piece.dtype)
                piece = ops.sum(
                    piece * weights[..., None], axis=1, keepdims=True
                )
            if name in values:
                value = ops.cast(values[name], piece.dtype)
                piece = piece * value[:, None, None]
            pooled.append(piece)
        return ops.concatenate(pooled, axis=1)

    def compute_output_shape(
        self, rows: Any, *args: Any, **kwargs: Any
    ) -> tuple[Any, ...]:
        return (rows[0], len(self.places), rows[2])

    def compute_output_spec(
        self, rows: Any, ids: Mapping[str, Any], values: Mapping[str, Any]
    ) -> keras.KerasTensor:
        return keras.KerasTensor(
            self.compute_output_shape(rows.shape), dtype=self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "places": self.places}


def _weights(ids: Any) -> Any:
    known = ops.cast(ids != 0, "float32")
    count = ops.sum(known, axis=1, keepdims=True)
    # The first place stands for all where nothing is known: row 0.
    first = ops.cast(ops.arange(ids.shape[1]) == 0, "float32")
    known = ops.where(count == 0, first[None, :], known)
    return known / ops.maximum(count, 1.0)
