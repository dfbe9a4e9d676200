"""Putting soft selection on a model's tables, and folding it back."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_emb.layers import (
    DenseEmbedding,
    SelectedEmbedding,
    SoftDimensionSelection,
    find_tables,
    replace_tables,
)

__all__ = ["add_selection", "merge_selection", "searched_tables"]


def searched_tables(model: keras.Model) -> dict[str, Any]:
    """Tables worth a search: those wider than one coordinate."""
    tables = {
        name: table
        for name, table in find_tables(model).items()
        if table.output_dim > 1
    }
    if not tables:
        raise ValueError(
            "`model` must hold at least one embedding table wider than one "
            f"coordinate. Received: model={model.name}"
        )
    return tables


def add_selection(
    model: keras.Model, blocks: Mapping[str, np.ndarray], l1: float = 0.0
) -> keras.Model:
    """Puts a soft selection layer on every searched table.

    DNIS (arXiv 2006.04466), soft selection. Tables of equal width share one
    layer, as the fields of the paper do.

    Args:
        model: A Keras model with tables; it stays as it is.
        blocks: Block of every row, by table.
        l1: Weight of the selection's L1 norm in the loss.

    Returns:
        A copy of the model with `SelectedEmbedding` tables.
    """
    num_blocks = 1 + max(int(rows.max()) for rows in blocks.values())
    selections: dict[int, SoftDimensionSelection] = {}

    def make(name: str, layer: Any) -> Any:
        if name not in blocks:
            return layer
        width = layer.output_dim
        if width not in selections:
            selections[width] = SoftDimensionSelection(
                num_blocks, width, l1=l1, name=f"selection_{width}"
            )
        return SelectedEmbedding(
            DenseEmbedding.from_table(layer),
            selections[width],
            blocks[name],
            name=layer.name,
        )

    return replace_tables(model, make)


def merge_selection(model: keras.Model) -> keras.Model:
    """Multiplies the selection into the tables and drops it.

    DNIS (arXiv 2006.04466), layer merging: `E_i = e_i * alpha_l(i)`.

    Args:
        model: A model with `SelectedEmbedding` tables; it stays as it is.

    Returns:
        A copy with dense tables and the same predictions.
    """

    def make(name: str, layer: Any) -> Any:
        if not isinstance(layer, SelectedEmbedding):
            return layer
        return DenseEmbedding.from_table(layer)

    return replace_tables(model, make)
