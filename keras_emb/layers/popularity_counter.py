"""How often every id has been seen."""

from typing import Any

import keras
import tensorflow as tf
from keras import ops

from keras_emb.layers.gather_rows import gather_rows

__all__ = ["PopularityCounter", "across_replicas"]


def across_replicas(tensor: Any) -> Any:
    """What all replicas of a strategy hold, joined along the first axis.

    >>> across_replicas(tf.constant([1, 2])).numpy().tolist()
    [1, 2]

    Args:
        tensor: This replica's part of a batch, of shape `(part, ...)`.

    Returns:
        Tensor of shape `(batch, ...)`, the same on every replica.
    """
    context = tf.distribute.get_replica_context()
    if context is None or context.num_replicas_in_sync == 1:
        return tensor
    return context.all_gather(tensor, axis=0)


@keras.saving.register_keras_serializable(package="keras_emb")
class PopularityCounter(keras.layers.Layer):
    """Counts how often every id has been seen so far.

    Counts are 64-bit integers and never saturate. They rise in `observe`
    alone, never in a call: a model may be asked as often as one likes.
    Under several replicas every replica counts the whole batch.

    >>> import numpy as np
    >>> counter = PopularityCounter(vocabulary_size=5)
    >>> counter.observe(np.array([1, 1, 3]))
    >>> counter(np.array([0, 1, 3])).numpy().tolist()
    [0, 2, 1]

    Args:
        vocabulary_size: Number of rows.
        decay: What a count is multiplied by for every batch observed since,
            for popularity that may fade. Counts are then floats.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`.

    Output shape:
        `(...)`: int64, or float32 with a `decay` below one.

    Raises:
        ValueError: If `decay` lies outside (0, 1].
    """

    def __init__(
        self, vocabulary_size: int, decay: float = 1.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        if not 0.0 < decay <= 1.0:
            raise ValueError(
                f"`decay` must lie in (0, 1]. Received: decay={decay}"
            )
        self.num_rows = int(vocabulary_size)
        self.decay = decay
        self.count_dtype = "int64" if decay == 1.0 else "float32"
        self.counts = self._state("counts", self.count_dtype)
        if decay < 1.0:
            self.seen_at = self._state("seen_at", "int64")
            self.clock = self._state("clock", "int64", ())
        self.built = True

    def _state(self, name: str, dtype: str, shape: Any = None) -> Any:
        # Every replica writes the joined batch itself: nothing to aggregate.
        return self.add_weight(
            shape=(self.num_rows,) if shape is None else shape,
            initializer="zeros",
            dtype=dtype,
            trainable=False,
            autocast=False,
            aggregation="none",
            name=name,
        )

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any) -> Any:
        counts = gather_rows(self.counts, ids)
        if self.decay < 1.0:
            age = self.clock.value - gather_rows(self.seen_at, ids)
            counts *= ops.power(self.decay, ops.cast(age, "float32"))
        return counts

    def observe(self, ids: Any) -> None:
        """Counts one more sight of each id, repeated ones each time.

        Args:
            ids: Integer tensor of shape `(batch,)`.
        """
        ids = across_replicas(tf.cast(ids, tf.int64))
        counts = self.counts.value
        if self.decay < 1.0:
            self.clock.value.assign_add(1)
            counts.scatter_update(tf.IndexedSlices(self(ids), ids))
            now = tf.fill(tf.shape(ids), self.clock.value)
            self.seen_at.value.scatter_update(tf.IndexedSlices(now, ids))
        ones = tf.ones(tf.shape(ids), self.count_dtype)
        counts.scatter_add(tf.IndexedSlices(ones, ids))

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(ids.shape, dtype=self.count_dtype)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.num_rows,
            "decay": self.decay,
        }
