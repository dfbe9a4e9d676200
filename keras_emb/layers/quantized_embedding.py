"""A dense table in fewer bytes."""

from typing import Any, Self

import keras
import numpy as np
import tensorflow as tf

from keras_emb.layers.gather_rows import gather_rows
from keras_emb.layers.row_quantization import (
    SCALE_DTYPE,
    StoredPrecision,
    half_values,
    quantize_values,
    row_scales,
    scale_codes,
)

__all__ = ["QuantizedEmbedding"]


@keras.saving.register_keras_serializable(package="keras_emb")
class QuantizedEmbedding(keras.layers.Layer):
    """Dense table whose values are stored in float16 or int8.

    Rows are gathered as they are stored and turned into floats then, so the
    table never stands in memory in any other form. In int8 each row has a
    scale. The values are not trainable: it is a table to deploy, made by
    `quantize`.

    >>> import numpy as np
    >>> table = QuantizedEmbedding.from_rows([[1.0, -0.5], [0, 127]], "int8")
    >>> table(np.array([1, 1])).numpy().tolist()
    [[0.0, 127.0], [0.0, 127.0]]

    Args:
        vocabulary_size: Number of rows.
        output_dim: Width of a row.
        precision: `"float16"` or `"int8"`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`, each in
            `0 .. vocabulary_size - 1`.

    Output shape:
        `(..., output_dim)`.

    Raises:
        ValueError: If the precision is another.
    """

    def __init__(
        self,
        vocabulary_size: int,
        output_dim: int,
        precision: StoredPrecision,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trainable", False)
        super().__init__(**kwargs)
        if precision not in ("float16", "int8"):
            raise ValueError(
                "`precision` must be 'float16' or 'int8'. "
                f"Received: precision={precision!r}"
            )
        self.vocabulary_size = int(vocabulary_size)
        self.output_dim = int(output_dim)
        self.precision = precision
        self.embeddings = self._store(
            "embeddings", (self.vocabulary_size, self.output_dim), precision
        )
        self.scale_weights: list[Any] = []
        if precision == "int8":
            self.scale_codes = self._store(
                "scale_codes", (self.vocabulary_size, 1), SCALE_DTYPE
            )
            self.scale_weights = [self.scale_codes]
        self.built = True

    def _store(self, name: str, shape: tuple[int, ...], dtype: str) -> Any:
        return self.add_weight(
            shape=shape,
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            autocast=False,
            name=name,
        )

    @classmethod
    def from_rows(
        cls, rows: Any, precision: StoredPrecision, **kwargs: Any
    ) -> Self:
        """Stores a dense table.

        Args:
            rows: Values of shape `(vocabulary_size, output_dim)`.
            precision: `"float16"` or `"int8"`.
            **kwargs: Arguments of `keras.layers.Layer`.

        Returns:
            The table.

        Raises:
            ValueError: If the values do not fit the precision.
        """
        rows = np.asarray(rows)
        vocabulary_size, output_dim = rows.shape
        table = cls(vocabulary_size, output_dim, precision, **kwargs)
        if precision == "int8":
            codes = scale_codes(np.abs(rows).max(axis=1, keepdims=True))
            table.scale_codes.assign(codes)
            table.embeddings.assign(quantize_values(rows, row_scales(codes)))
        else:
            table.embeddings.assign(half_values(rows))
        return table

    def values(self) -> np.ndarray:
        """The answer for every row, shape `(vocabulary_size, output_dim)`."""
        return np.asarray(self(np.arange(self.vocabulary_size)))

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any) -> Any:
        rows = tf.cast(gather_rows(self.embeddings, ids), tf.float32)
        if self.precision == "int8":
            rows *= row_scales(gather_rows(self.scale_codes, ids))
        return tf.cast(rows, self.compute_dtype)

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
            "precision": self.precision,
        }
