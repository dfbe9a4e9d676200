"""From mixed candidates to one table of nested sizes."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_emb.compression.rotations import (
    popularity_shares,
    principal_rotation,
    second_moment,
)
from keras_emb.layers import (
    DenseEmbedding,
    ProjectedEmbedding,
    SoftSizeEmbedding,
    find_tables,
    replace_tables,
)

__all__ = ["harden", "principal_table"]

_TINY = 1e-12


def principal_table(
    values: np.ndarray, popularity: Any
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A table in its principal coordinates, and the map back.

    `values = rows @ kernel + bias`, with `bias` the popularity-weighted mean
    and the coordinates sorted by the energy they carry: the first d of them
    are the best affine approximation of rank d in that weighting.

    >>> import numpy as np
    >>> values = np.array([[1.0, 1.0], [3.0, 3.0]])
    >>> rows, kernel, bias = principal_table(values, [1, 1])
    >>> bool(np.abs(rows[:, 1]).max() < 1e-6), bias.tolist()
    (True, [2.0, 2.0])

    Args:
        values: Array of shape `(rows, dim)`.
        popularity: Weight of every row, shape `(rows,)`.

    Returns:
        Rows of shape `(rows, dim)`, kernel of shape `(dim, dim)`, and bias of
        shape `(dim,)`, in float32.
    """
    values = np.asarray(values, dtype="float64")
    shares = popularity_shares(popularity)
    bias = shares @ values
    centred = values - bias
    rotation = principal_rotation(second_moment(centred, shares))
    return (
        (centred @ rotation).astype("float32"),
        rotation.T.astype("float32"),
        bias.astype("float32"),
    )


def harden(
    model: keras.Model, popularity: Mapping[str, Any] | None = None
) -> keras.Model:
    """Turns every mixed table into one table of nested sizes.

    The vectors that AutoEmb's mixture gives now (arXiv 2002.11252) become
    the rows of one table, in the principal coordinates of their side, behind
    a linear map that all sizes share. At full width predictions do not
    change; a row cut to its first d coordinates is its best approximation of
    that size; and a row that grows later starts from what it was. The paper
    leaves the hard choice of a size as future work: this is ours.

    Args:
        model: A model with `SoftSizeEmbedding` tables; it stays as it is.
        popularity: Weight of every row by table; the tables' own counts by
            default.

    Returns:
        A copy with `ProjectedEmbedding` tables.

    Raises:
        ValueError: If there is no `SoftSizeEmbedding`.
    """
    soft = {
        name: table
        for name, table in find_tables(model).items()
        if isinstance(table, SoftSizeEmbedding)
    }
    if not soft:
        raise ValueError(
            "`model` must hold SoftSizeEmbedding tables. "
            f"Received: model={model.name} with none"
        )

    def make(name: str, layer: Any) -> Any:
        if name not in soft:
            return layer
        counts = (
            layer.counter.counts.numpy()
            if popularity is None
            else popularity[name]
        )
        rows, kernel, bias = principal_table(layer.values(), counts)
        # Steps of an optimizer are absolute: at the candidates' own scale
        # the rows go on learning at the pace they had.
        scale = _rms(layer.candidates.embeddings.numpy()) / _rms(rows)
        rows, kernel = rows * scale, kernel / scale
        table = DenseEmbedding(*rows.shape, name=f"{layer.name}_rows")
        table.embeddings.assign(rows)
        projected = ProjectedEmbedding(table, layer.output_dim, name=layer.name)
        projected.kernel.assign(kernel)
        projected.bias.assign(bias)
        return projected

    return replace_tables(model, make)


def _rms(values: np.ndarray) -> float:
    return max(float(np.sqrt(np.mean(np.square(values)))), _TINY)
