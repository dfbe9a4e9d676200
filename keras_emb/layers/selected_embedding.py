"""A table under soft selection."""

from typing import Any

import keras
import numpy as np

from keras_emb.layers.dense_embedding import table_values
from keras_emb.layers.gather_rows import gather_rows
from keras_emb.layers.soft_dimension_selection import SoftDimensionSelection

__all__ = ["SelectedEmbedding"]


@keras.saving.register_keras_serializable(package="keras_emb")
class SelectedEmbedding(keras.layers.Layer):
    """Table whose coordinates are weighed by the block of the id.

    The search-time table of DNIS (arXiv 2006.04466). Several
    tables may share one selection layer; sharing survives saving.

    >>> from keras_emb.layers import DenseEmbedding, SoftDimensionSelection
    >>> table = SelectedEmbedding(
    ...     DenseEmbedding(4, 8), SoftDimensionSelection(2, 8), [0, 0, 1, 1]
    ... )
    >>> import numpy as np
    >>> table(np.array([0, 3])).shape
    TensorShape([2, 8])

    Args:
        table: Table layer with `vocabulary_size` and `output_dim`.
        selection: The weights of selection.
        block_ids: Block of every row, shape `(vocabulary_size,)`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`.

    Output shape:
        `(..., output_dim)`.

    Raises:
        ValueError: If the widths differ, or a block is missing or unknown.
    """

    def __init__(
        self,
        table: Any,
        selection: SoftDimensionSelection,
        block_ids: Any,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        block_ids = np.asarray(block_ids)
        if table.output_dim != selection.embedding_dim:
            raise ValueError(
                "`table` and `selection` must have the same width. Received: "
                f"{table.output_dim} and {selection.embedding_dim}"
            )
        if (
            block_ids.shape != (table.vocabulary_size,)
            or block_ids.dtype.kind not in "iu"
            or block_ids.min() < 0
            or block_ids.max() >= selection.num_blocks
        ):
            raise ValueError(
                f"`block_ids` must be {table.vocabulary_size} integers from "
                f"0 to {selection.num_blocks - 1}. Received: shape "
                f"{block_ids.shape}, from {block_ids.min(initial=0)} to "
                f"{block_ids.max(initial=0)}"
            )
        self.table = table
        self.selection = selection
        self.block_ids = self.add_weight(
            shape=(table.vocabulary_size,),
            initializer="zeros",
            dtype="int64",
            trainable=False,
            name="block_ids",
        )
        self.block_ids.assign(block_ids)
        self.built = True

    @property
    def vocabulary_size(self) -> int:
        """Number of rows."""
        return int(self.table.vocabulary_size)

    @property
    def output_dim(self) -> int:
        """Width of a row."""
        return int(self.table.output_dim)

    def values(self) -> np.ndarray:
        """The answer for every row, shape `(vocabulary_size, output_dim)`."""
        alpha = self.selection.alpha.numpy()
        return table_values(self.table) * alpha[self.block_ids.numpy()]

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any) -> Any:
        return self.selection(self.table(ids), gather_rows(self.block_ids, ids))

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(
            self.compute_output_shape(ids.shape), dtype=self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        selection = keras.saving.serialize_keras_object(self.selection)
        # Keras copies nested configurations before it finds an object
        # again, so each of them names the shared object here.
        selection["shared_object_id"] = id(self.selection)
        return {
            **super().get_config(),
            "table": keras.saving.serialize_keras_object(self.table),
            "selection": selection,
            "block_ids": _encode_runs(self.block_ids.numpy()),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SelectedEmbedding":
        config = dict(config)
        for key in ("table", "selection"):
            config[key] = keras.saving.deserialize_keras_object(config[key])
        config["block_ids"] = _decode_runs(config["block_ids"])
        return cls(**config)


def _encode_runs(values: np.ndarray) -> dict[str, list[int]]:
    # Rows stand in order of popularity, so a block is mostly one run.
    starts = np.flatnonzero(np.diff(values, prepend=-1))
    lengths = np.diff(starts, append=len(values))
    return {"values": values[starts].tolist(), "lengths": lengths.tolist()}


def _decode_runs(runs: dict[str, list[int]]) -> np.ndarray:
    return np.repeat(np.asarray(runs["values"], "int64"), runs["lengths"])
