"""Models with their tables in fewer bytes."""

from typing import Any

import keras

from keras_emb.layers import (
    DenseEmbedding,
    MaskedEmbedding,
    MixedDimensionEmbedding,
    ProjectedEmbedding,
    QuantizedEmbedding,
    replace_tables,
    table_values,
)
from keras_emb.layers.row_quantization import StoredPrecision

__all__ = ["quantize"]

_DENSE = (DenseEmbedding, MaskedEmbedding, keras.layers.Embedding)


def quantize(model: keras.Model, precision: StoredPrecision) -> keras.Model:
    """Copies a model with the values of its tables in float16 or int8.

    Each value is rounded to the nearest that can be stored; in int8 to a
    multiple of its row's scale: a 127th of the row's largest value, or up to
    9 % more, since a scale is stored as a byte, and never below 2^-20. A
    lookup gathers values as they are stored. All else stays as it is.

    >>> import numpy as np
    >>> from keras_emb.compression import memory_report
    >>> model = keras.Sequential(
    ...     [keras.Input(()), keras.layers.Embedding(1000, 8, name="word")]
    ... )
    >>> small = quantize(model, "int8")
    >>> memory_report(small).values
    9000
    >>> ids = np.arange(5)
    >>> bool(np.allclose(small(ids), model(ids), atol=0.05 / 127))
    True

    Args:
        model: A built Keras model with dense or compact tables.
        precision: `"float16"` or `"int8"`.

    Returns:
        The new model.

    Raises:
        ValueError: If the precision is another, or a table cannot be stored
            so.
    """
    if precision not in ("float16", "int8"):
        raise ValueError(
            "`precision` must be 'float16' or 'int8'. "
            f"Received: precision={precision!r}"
        )

    def make(name: str, table: Any) -> Any:
        if isinstance(table, ProjectedEmbedding):
            return table.with_table(make(name, table.table))
        if isinstance(table, MixedDimensionEmbedding):
            return table.with_precision(precision)
        if type(table) not in _DENSE or getattr(table, "mask_zero", False):
            raise ValueError(
                "`model` must have dense or compact tables to store them in "
                f"{precision}. Received: table {name!r}, a "
                f"{type(table).__name__}"
            )
        return QuantizedEmbedding.from_rows(
            table_values(table),
            precision,
            name=table.name,
            dtype=table.dtype_policy,
        )

    return replace_tables(model, make)
