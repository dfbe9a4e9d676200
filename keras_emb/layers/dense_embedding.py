"""An embedding table that is never read as a whole."""

import numbers
from typing import Any, Self

import keras
import numpy as np

from keras_emb.layers.gather_rows import gather_rows

__all__ = ["DenseEmbedding", "table_values"]


def table_values(table: Any) -> np.ndarray:
    """What a table answers for every row.

    Args:
        table: Any table layer, `keras.layers.Embedding` included; masks and
            selections are multiplied in.

    Returns:
        Array of shape `(rows, output_dim)`.
    """
    if hasattr(table, "values"):
        return np.asarray(table.values())
    return np.asarray(table.embeddings.numpy())


@keras.saving.register_keras_serializable(package="keras_emb")
class DenseEmbedding(keras.layers.Layer):
    """Embedding table of one width, read row by row.

    Like `keras.layers.Embedding`, but a lookup never touches the rest of the
    table: no copy after sparse updates, no cast of the table under mixed
    precision, and a sparse gradient always.

    >>> import numpy as np
    >>> table = DenseEmbedding(vocabulary_size=100, output_dim=8)
    >>> table(np.array([[1, 2], [3, 4]])).shape
    TensorShape([2, 2, 8])

    Args:
        vocabulary_size: Number of rows.
        output_dim: Width of a row.
        embeddings_initializer: Initializer of the table.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`, each in
            `0 .. vocabulary_size - 1`.

    Output shape:
        `(..., output_dim)`.

    Raises:
        ValueError: If a size is not a positive integer.
    """

    def __init__(
        self,
        vocabulary_size: int,
        output_dim: int,
        embeddings_initializer: Any = "glorot_normal",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (
            ("vocabulary_size", vocabulary_size),
            ("output_dim", output_dim),
        ):
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. "
                    f"Received: {name}={value}"
                )
        self.vocabulary_size = int(vocabulary_size)
        self.output_dim = int(output_dim)
        self.embeddings_initializer = keras.initializers.get(
            embeddings_initializer
        )
        self.embeddings = self.add_weight(
            shape=(self.vocabulary_size, self.output_dim),
            initializer=self.embeddings_initializer,
            name="embeddings",
            autocast=False,
        )
        self.built = True

    @classmethod
    def from_table(cls, table: Any, **kwargs: Any) -> Self:
        """A table of the same name, shape and answers as another.

        Args:
            table: Any table layer, `keras.layers.Embedding` included.
            **kwargs: Further arguments of the constructor.

        Raises:
            ValueError: If the table computes a mask, which this one does not.
        """
        if getattr(table, "mask_zero", False):
            raise ValueError(
                "A table with `mask_zero=True` cannot be replaced: the new "
                f"one computes no mask. Received: table {table.name!r}"
            )
        values = table_values(table)
        copy = cls(*values.shape, name=table.name, **kwargs)
        copy.embeddings.assign(values)
        return copy

    def values(self) -> np.ndarray:
        """The answer for every row, shape `(vocabulary_size, output_dim)`."""
        return np.asarray(self.embeddings.numpy())

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any) -> Any:
        rows = gather_rows(self.embeddings, ids)
        return keras.ops.cast(rows, self.compute_dtype)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(
            self.compute_output_shape(ids.shape), dtype=self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "output_dim": self.output_dim,
            "embeddings_initializer": keras.initializers.serialize(
                self.embeddings_initializer
            ),
        }
