"""A table that mixes several widths by popularity."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from keras_emb.layers.gather_rows import gather_rows
from keras_emb.layers.multi_size_embedding import MultiSizeEmbedding
from keras_emb.layers.popularity_counter import (
    PopularityCounter,
    across_replicas,
)
from keras_emb.layers.soft_selection import SoftSelection

__all__ = ["SoftSizeEmbedding"]


@keras.saving.register_keras_serializable(package="keras_emb")
class SoftSizeEmbedding(keras.layers.Layer):
    """Table whose vectors mix candidates of several widths.

    The search-time table of AutoEmb (arXiv 2002.11252): candidates of every
    width, a controller that weighs them by what is known of the id, and the
    state it reads: how often the id has been seen, and the weights it was
    given then. That state changes in `observe` alone.

    >>> from keras_emb.layers import MultiSizeEmbedding, PopularityController
    >>> table = SoftSizeEmbedding(
    ...     MultiSizeEmbedding(100, dims=[2, 8]),
    ...     PopularityController(num_sizes=2),
    ... )
    >>> import numpy as np
    >>> table(np.array([1, 2, 3])).shape
    TensorShape([3, 8])

    Args:
        candidates: The candidate vectors.
        controller: A layer that weighs them, a `PopularityController` or
            `SizeLogits`; its `inputs` name what it is called with.
        mode: `"soft"` mixes, `"hard"` takes the heaviest candidate, see
            `SoftSelection`.
        decay: Decay of the popularity, see `PopularityCounter`.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(batch,)`.
        training: Whether to normalise by the batch's statistics.

    Output shape:
        `(batch, output_dim)`.

    Raises:
        ValueError: If candidates and controller differ in their number of
            sizes.
    """

    def __init__(
        self,
        candidates: MultiSizeEmbedding,
        controller: Any,
        mode: Literal["soft", "hard"] = "soft",
        decay: float = 1.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if candidates.num_sizes != controller.num_sizes:
            raise ValueError(
                "`candidates` and `controller` must have the same number of "
                f"sizes. Received: {candidates.num_sizes} and "
                f"{controller.num_sizes}"
            )
        self.candidates = candidates
        self.controller = controller
        self.mode = mode
        self.decay = decay
        self.selection = SoftSelection(
            mode, dtype=self.dtype_policy, name="selection"
        )
        rows = candidates.vocabulary_size
        self.counter = PopularityCounter(rows, decay, name="counter")
        self._given_popularity: Any = None
        self._state: dict[str, Any] = {}
        if "last_weights" in controller.inputs:
            # An id that was never seen has all its weight on the smallest.
            self._state["last_weights"] = self._add_state(
                "last_weights",
                (rows, candidates.num_sizes),
                lambda shape, dtype: ops.one_hot(
                    ops.zeros(shape[0], "int32"), shape[1], dtype=dtype
                ),
            )
        if "last_loss" in controller.inputs:
            self._state["last_loss"] = self._add_state(
                "last_loss", (rows,), "zeros"
            )
        self.built = True

    def _add_state(
        self, name: str, shape: tuple[int, ...], initializer: Any
    ) -> Any:
        return self.add_weight(
            shape=shape,
            initializer=initializer,
            dtype="float32",
            trainable=False,
            autocast=False,
            aggregation="none",
            name=name,
        )

    @property
    def vocabulary_size(self) -> int:
        """Number of rows."""
        return int(self.candidates.vocabulary_size)

    @property
    def output_dim(self) -> int:
        """Width of a row."""
        return int(self.candidates.output_dim)

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any, training: bool | None = None) -> Any:
        return self.selection(
            self.candidates(ids, training=training),
            self.weights_of(ids, training=training),
        )

    def weights_of(self, ids: Any, training: bool | None = None) -> Any:
        """Weights of the candidates.

        Args:
            ids: Integer tensor of shape `(batch,)`.
            training: Whether to normalise by the batch's statistics.

        Returns:
            float32 tensor of shape `(batch, num_sizes)`.
        """
        known = {"ids": ids, "popularity": self._given_popularity}
        if known["popularity"] is None:
            known["popularity"] = self.counter(ids)
        for name, variable in self._state.items():
            known[name] = gather_rows(variable, ids)
        return self.controller(
            *(known[name] for name in self.controller.inputs),
            training=training,
        )

    @contextlib.contextmanager
    def given_popularity(self, popularity: Any) -> Iterator[None]:
        """Lets calls within believe in another popularity.

        Args:
            popularity: Counts of shape `(batch,)`, in the place of those of
                the counter.
        """
        self._given_popularity = popularity
        try:
            yield
        finally:
            self._given_popularity = None

    def observe(self, ids: Any, loss: Any = None) -> None:
        """Takes note that ids were seen: the weights given, then the count.

        Args:
            ids: Integer tensor of shape `(batch,)`.
            loss: Loss of each, shape `(batch,)`, for controllers that read
                the last loss.

        Raises:
            ValueError: If the controller reads losses and none is given.
        """
        if "last_loss" in self._state and loss is None:
            raise ValueError(
                "`loss` must be given, as the controller reads the last "
                "loss. Received: loss=None"
            )
        ids = tf.cast(ids, tf.int64)
        if "last_weights" in self._state:
            self._remember("last_weights", ids, self.weights_of(ids))
        if "last_loss" in self._state:
            self._remember("last_loss", ids, tf.cast(loss, tf.float32))
        self.counter.observe(ids)

    def _remember(self, name: str, ids: Any, values: Any) -> None:
        self._state[name].value.scatter_update(
            tf.IndexedSlices(across_replicas(values), across_replicas(ids))
        )

    def values(self, batch_size: int = 8192) -> np.ndarray:
        """The answer for every row, shape `(vocabulary_size, output_dim)`.

        Args:
            batch_size: Rows computed at a time.
        """
        return self._for_all_rows(self, batch_size)

    def size_weights(self, batch_size: int = 8192) -> np.ndarray:
        """Weights of the candidates for every row.

        Args:
            batch_size: Rows computed at a time.

        Returns:
            float32 array of shape `(vocabulary_size, num_sizes)`.
        """
        return self._for_all_rows(self.weights_of, batch_size)

    def _for_all_rows(
        self, function: Callable[[Any], Any], batch_size: int
    ) -> np.ndarray:
        rows = np.arange(self.vocabulary_size)
        return np.concatenate(
            [
                np.asarray(function(rows[first : first + batch_size]))
                for first in range(0, len(rows), batch_size)
            ]
        )

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (*input_shape, self.output_dim)

    def compute_output_spec(
        self, ids: Any, training: bool | None = None
    ) -> keras.KerasTensor:
        return keras.KerasTensor(
            self.compute_output_shape(ids.shape), dtype=self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "candidates": keras.saving.serialize_keras_object(self.candidates),
            "controller": keras.saving.serialize_keras_object(self.controller),
            "mode": self.mode,
            "decay": self.decay,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "SoftSizeEmbedding":
        config = dict(config)
        for key in ("candidates", "controller"):
            config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(**config)
