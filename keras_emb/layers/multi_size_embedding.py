"""Tables of several widths for the same ids."""

import itertools
import numbers
from collections.abc import Sequence
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_emb.layers.gather_rows import gather_rows

__all__ = ["MultiSizeEmbedding"]


@keras.saving.register_keras_serializable(package="keras_emb")
class MultiSizeEmbedding(keras.layers.Layer):
    """Candidate vectors of several widths, brought to one width.

    AutoEmb (arXiv 2002.11252): candidate n of an id is a row of width
    `dims[n]`, mapped to `output_dim` by its own matrix, batch-normalised by
    statistics of its own and bounded by tanh:
    `tanh(BN_n(W_n^T e_n))`. The bias of the paper's linear map is left out,
    as the normalisation takes it out again.

    The rows of all candidates stand side by side in one table, so a lookup
    is one gather however many candidates there are.

    >>> import numpy as np
    >>> candidates = MultiSizeEmbedding(vocabulary_size=100, dims=[2, 8])
    >>> candidates(np.array([1, 2, 3])).shape
    TensorShape([3, 2, 8])

    Args:
        vocabulary_size: Number of rows.
        dims: Widths of the candidates, ascending.
        output_dim: Common width; the largest candidate's by default.
        embeddings_initializer: Initializer of the table.
        momentum: Momentum of the moving statistics.
        epsilon: Added to a variance before the root.
        activation: What bounds the vectors; `None` in AutoDim (WWW 2021).
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`.
        training: Whether to normalise by the batch's statistics.

    Output shape:
        `(..., num_sizes, output_dim)`.

    Raises:
        ValueError: If a size is not a positive integer, `dims` does not
            ascend, or `activation` is unknown.
    """

    def __init__(
        self,
        vocabulary_size: int,
        dims: Sequence[int],
        output_dim: int | None = None,
        embeddings_initializer: Any = "glorot_normal",
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        activation: Literal["tanh"] | None = "tanh",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        dims = list(dims)
        whole = all(isinstance(dim, numbers.Integral) for dim in dims)
        ascending = whole and all(a < b for a, b in itertools.pairwise(dims))
        if not dims or not ascending or dims[0] < 1:
            raise ValueError(
                "`dims` must be positive, ascending integers. "
                f"Received: dims={dims}"
            )
        output_dim = dims[-1] if output_dim is None else output_dim
        for name, value in (
            ("vocabulary_size", vocabulary_size),
            ("output_dim", output_dim),
        ):
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. "
                    f"Received: {name}={value}"
                )
        if activation not in ("tanh", None):
            raise ValueError(
                "`activation` must be 'tanh' or None. "
                f"Received: activation={activation!r}"
            )
        self.activation = activation
        self.vocabulary_size = int(vocabulary_size)
        self.dims = [int(dim) for dim in dims]
        self.output_dim = int(output_dim)
        self.embeddings_initializer = keras.initializers.get(
            embeddings_initializer
        )
        self.momentum = momentum
        self.epsilon = epsilon
        self.embeddings = self.add_weight(
            shape=(self.vocabulary_size, sum(dims)),
            initializer=self.embeddings_initializer,
            name="embeddings",
            autocast=False,
        )
        self.kernels = [
            self.add_weight(
                shape=(dim, self.output_dim),
                initializer="glorot_uniform",
                name=f"kernel_{dim}",
            )
            for dim in dims
        ]
        # A channel of a candidate is a channel of the normalisation, so that
        # each candidate keeps statistics of its own.
        self.normalization = keras.layers.BatchNormalization(
            momentum=momentum,
            epsilon=epsilon,
            dtype=self.dtype_policy,
            name="normalization",
        )
        self.normalization.build((None, self.num_sizes * self.output_dim))
        self.built = True

    @property
    def num_sizes(self) -> int:
        """Number of candidates."""
        return len(self.dims)

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any, training: bool | None = None) -> Any:
        rows = ops.cast(gather_rows(self.embeddings, ids), self.compute_dtype)
        shape = ops.shape(rows)[:-1]
        rows = ops.reshape(rows, (-1, sum(self.dims)))
        mapped = ops.concatenate(
            [
                ops.matmul(rows[:, self._columns(index)], kernel)
                for index, kernel in enumerate(self.kernels)
            ],
            axis=-1,
        )
        vectors = self.normalization(mapped, training=training)
        if self.activation:
            vectors = ops.tanh(vectors)
        return ops.reshape(vectors, (*shape, self.num_sizes, self.output_dim))

    def candidate(self, index: int) -> np.ndarray:
        """The table of one candidate, shape `(vocabulary_size, dims[index])`.

        Args:
            index: Place of the candidate in `dims`.
        """
        return np.asarray(self.embeddings.numpy())[:, self._columns(index)]

    def _columns(self, index: int) -> slice:
        stop = sum(self.dims[: index + 1])
        return slice(stop - self.dims[index], stop)

    def affine(self, index: int) -> tuple[np.ndarray, np.ndarray]:
        """The map and normalisation of one candidate in inference, as one.

        Args:
            index: Place of the candidate in `dims`.

        Returns:
            Kernel of shape `(dims[index], output_dim)` and bias of shape
            `(output_dim,)`: the candidate's vector is
            `tanh(row @ kernel + bias)`.
        """
        columns = slice(index * self.output_dim, (index + 1) * self.output_dim)
        gamma, beta, mean, variance = (
            weight.numpy().astype("float64")[columns]
            for weight in (
                self.normalization.gamma,
                self.normalization.beta,
                self.normalization.moving_mean,
                self.normalization.moving_variance,
            )
        )
        scale = gamma / np.sqrt(variance + self.epsilon)
        kernel = self.kernels[index].numpy().astype("float64") * scale
        return kernel.astype("float32"), (beta - mean * scale).astype("float32")

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (*input_shape, self.num_sizes, self.output_dim)

    def compute_output_spec(
        self, ids: Any, training: bool | None = None
    ) -> keras.KerasTensor:
        return keras.KerasTensor(
            self.compute_output_shape(ids.shape), dtype=self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "dims": self.dims,
            "output_dim": self.output_dim,
            "embeddings_initializer": keras.initializers.serialize(
                self.embeddings_initializer
            ),
            "momentum": self.momentum,
            "epsilon": self.epsilon,
            "activation": self.activation,
        }
