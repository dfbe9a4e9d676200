"""Weights of candidate sizes from an id's popularity."""

import math
import numbers
from typing import Any, Literal

import keras
import numpy as np
from keras import ops

from keras_emb.layers.dense_embedding import DenseEmbedding

__all__ = [
    "PopularityController",
    "num_popularity_buckets",
    "popularity_bucket",
]

# Buckets for every doubling of the popularity above the cap.
_PER_DOUBLING = 4
_LARGEST_COUNT = 2**63


def popularity_bucket(popularity: Any, cap: int) -> Any:
    """The row of a popularity in a lookup of limited size.

    Counts up to `cap` have a row each; above it there are four rows for
    every doubling.

    >>> popularity_bucket([0, 7, 8, 9, 16], cap=8).numpy().tolist()
    [0, 7, 8, 9, 13]

    Args:
        popularity: Numbers of at least zero, of any shape.
        cap: Largest count with a row of its own.

    Returns:
        int32 tensor of the same shape, below `num_popularity_buckets(cap)`.
    """
    popularity = ops.cast(popularity, "float32")
    # A logarithm would round otherwise on every device.
    steps = np.arange(num_popularity_buckets(cap) - cap - 1)
    firsts = (cap * 2 ** (steps / _PER_DOUBLING)).tolist()
    above = ops.digitize(popularity, firsts)
    past = ops.where(popularity > cap, above, 0)
    small = ops.floor(ops.minimum(popularity, float(cap)))
    return ops.cast(small, "int32") + past


def num_popularity_buckets(cap: int) -> int:
    """Rows that `popularity_bucket` can name.

    >>> num_popularity_buckets(8)
    250
    """
    doublings = math.log2(_LARGEST_COUNT / cap)
    return cap + 2 + math.floor(_PER_DOUBLING * doublings)


@keras.saving.register_keras_serializable(package="keras_emb")
class PopularityController(keras.layers.Layer):
    """Turns an id's popularity into weights of the candidate sizes.

    The controller of AutoEmb (arXiv 2002.11252): a learned vector of the
    popularity, batch-normalised, beside what was last known of the id; one
    hidden layer, batch-normalised, tanh; softmax. It computes in float32
    whatever the policy.

    >>> import numpy as np
    >>> controller = PopularityController(num_sizes=3)
    >>> last = np.array([[1.0, 0.0, 0.0]] * 2)
    >>> weights = controller(np.array([0, 5000]), last)
    >>> weights.shape
    TensorShape([2, 3])

    Args:
        num_sizes: Number of candidates.
        popularity_input: `"embedding"` looks the popularity up in a learned
            table, `"one_hot"` hands it on as it is.
        use_last_weights: Whether the id's last weights are an input.
        use_last_loss: Whether the id's last loss is an input.
        cap: Largest popularity with a row of its own; larger ones share
            rows, see `popularity_bucket`.
        popularity_dim: Width of the learned vector.
        hidden_units: Width of the hidden layer.
        momentum: Momentum of the moving statistics.
        epsilon: Added to a variance before the root.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        popularity: Tensor of shape `(batch,)`, counts of at least zero.
        last_weights: Tensor of shape `(batch, num_sizes)`, if used.
        last_loss: Tensor of shape `(batch,)`, if used.
        training: Whether to normalise by the batch's statistics.

    Output shape:
        `(batch, num_sizes)`, summing to one.

    Raises:
        ValueError: If an argument is out of range, or an input is missing.
    """

    def __init__(
        self,
        num_sizes: int,
        popularity_input: Literal["embedding", "one_hot"] = "embedding",
        use_last_weights: bool = True,
        use_last_loss: bool = False,
        cap: int = 128,
        popularity_dim: int = 32,
        hidden_units: int = 512,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        **kwargs: Any,
    ) -> None:
        super().__init__(**{**kwargs, "dtype": "float32"})
        if popularity_input not in ("embedding", "one_hot"):
            raise ValueError(
                "`popularity_input` must be 'embedding' or 'one_hot'. "
                f"Received: popularity_input={popularity_input!r}"
            )
        for name, value in (
            ("num_sizes", num_sizes),
            ("cap", cap),
            ("popularity_dim", popularity_dim),
            ("hidden_units", hidden_units),
        ):
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. "
                    f"Received: {name}={value}"
                )
        self.num_sizes = int(num_sizes)
        self.popularity_input = popularity_input
        self.use_last_weights = use_last_weights
        self.use_last_loss = use_last_loss
        self.cap = int(cap)
        self.popularity_dim = int(popularity_dim)
        self.hidden_units = int(hidden_units)
        self.momentum = momentum
        self.epsilon = epsilon
        self._build_layers()
        self.built = True

    def _build_layers(self) -> None:
        buckets = num_popularity_buckets(self.cap)
        embedded = self.popularity_input == "embedding"
        width = self.popularity_dim if embedded else buckets
        self.lookup = (
            DenseEmbedding(
                buckets,
                width,
                keras.initializers.RandomNormal(stddev=1.0),
                dtype="float32",
                name="popularity",
            )
            if embedded
            else None
        )
        self.input_normalization = self._normalization("input_normalization")
        self.input_normalization.build((None, width))
        width += self.use_last_weights * self.num_sizes + self.use_last_loss
        # No bias: the normalization that follows would take it away again.
        self.hidden = keras.layers.Dense(
            self.hidden_units,
            use_bias=False,
            dtype="float32",
            name="hidden",
        )
        self.hidden.build((None, width))
        self.hidden_normalization = self._normalization("hidden_normalization")
        self.hidden_normalization.build((None, self.hidden_units))
        # From zeros: no size is preferred before anything has been learnt.
        self.logits = keras.layers.Dense(
            self.num_sizes,
            kernel_initializer="zeros",
            dtype="float32",
            name="logits",
        )
        self.logits.build((None, self.hidden_units))

    def _normalization(self, name: str) -> keras.layers.BatchNormalization:
        return keras.layers.BatchNormalization(
            momentum=self.momentum,
            epsilon=self.epsilon,
            dtype="float32",
            name=name,
        )

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it is called with, by name."""
        names = ["popularity"]
        names += ["last_weights"] * self.use_last_weights
        names += ["last_loss"] * self.use_last_loss
        return tuple(names)

    def build(self, *shapes: Any) -> None:
        self.built = True

    def call(
        self,
        popularity: Any,
        last_weights: Any = None,
        last_loss: Any = None,
        training: bool | None = None,
    ) -> Any:
        bucket = popularity_bucket(popularity, self.cap)
        if self.lookup is None:
            seen = ops.one_hot(bucket, num_popularity_buckets(self.cap))
        else:
            seen = self.lookup(bucket)
        features = [self.input_normalization(seen, training=training)]
        if self.use_last_weights:
            features.append(_given("last_weights", last_weights))
        if self.use_last_loss:
            features.append(_given("last_loss", last_loss)[:, None])
        hidden = self.hidden(ops.concatenate(features, axis=-1))
        hidden = self.hidden_normalization(hidden, training=training)
        return ops.softmax(self.logits(ops.tanh(hidden)))

    def compute_output_spec(
        self, popularity: Any, *args: Any, **kwargs: Any
    ) -> keras.KerasTensor:
        return keras.KerasTensor(
            (*popularity.shape, self.num_sizes), dtype="float32"
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_sizes": self.num_sizes,
            "popularity_input": self.popularity_input,
            "use_last_weights": self.use_last_weights,
            "use_last_loss": self.use_last_loss,
            "cap": self.cap,
            "popularity_dim": self.popularity_dim,
            "hidden_units": self.hidden_units,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }


def _given(name: str, value: Any) -> Any:
    if value is None:
        raise ValueError(
            f"`{name}` must be given, as the controller was made with "
            f"use_{name}=True. Received: {name}=None"
        )
    return ops.cast(value, "float32")
