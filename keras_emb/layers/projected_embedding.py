"""A table followed by a linear map of its own."""

from typing import Any

import keras
import numpy as np
from keras import ops

from keras_emb.layers.dense_embedding import table_values

__all__ = ["ProjectedEmbedding"]


@keras.saving.register_keras_serializable(package="keras_emb")
class ProjectedEmbedding(keras.layers.Layer):
    """Table whose rows are mapped to the width the model reads.

    `row @ kernel + bias`. Rows of any size share the one map, so a row may
    grow by zeros and answer as before.

    >>> import numpy as np
    >>> from keras_emb.layers import DenseEmbedding
    >>> table = ProjectedEmbedding(DenseEmbedding(100, 4), output_dim=4)
    >>> table(np.array([1, 2])).shape
    TensorShape([2, 4])

    Args:
        table: The table layer that holds the rows.
        output_dim: Width of the mapped rows.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`.

    Output shape:
        `(..., output_dim)`.
    """

    def __init__(self, table: Any, output_dim: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.table = table
        self.output_dim = int(output_dim)
        self.kernel = self.add_weight(
            shape=(table.output_dim, self.output_dim),
            initializer="orthogonal",
            name="kernel",
        )
        self.bias = self.add_weight(
            shape=(self.output_dim,), initializer="zeros", name="bias"
        )
        self.built = True

    @property
    def vocabulary_size(self) -> int:
        """Number of rows."""
        return int(self.table.vocabulary_size)

    @property
    def projection_weights(self) -> list[Any]:
        """The weights of the map, for reports on memory."""
        return [self.kernel, self.bias]

    def with_table(self, table: Any) -> "ProjectedEmbedding":
        """The same map behind another table.

        Args:
            table: Table layer of the same width.
        """
        copy = ProjectedEmbedding(
            table, self.output_dim, name=self.name, dtype=self.dtype_policy
        )
        copy.kernel.assign(self.kernel.value)
        copy.bias.assign(self.bias.value)
        return copy

    def values(self) -> np.ndarray:
        """The answer for every row, shape `(vocabulary_size, output_dim)`."""
        rows = table_values(self.table)
        return np.asarray(rows @ self.kernel.numpy() + self.bias.numpy())

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any) -> Any:
        return ops.matmul(self.table(ids), self.kernel) + self.bias

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(
            self.compute_output_shape(ids.shape), dtype=self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "table": keras.saving.serialize_keras_object(self.table),
            "output_dim": self.output_dim,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "ProjectedEmbedding":
        config = dict(config)
        config["table"] = keras.saving.deserialize_keras_object(config["table"])
        return cls(**config)
