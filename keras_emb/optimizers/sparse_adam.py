"""Row-wise (lazy) Adam."""

from typing import Any

import keras
import tensorflow as tf

from keras_emb.optimizers.deduplicate import deduplicate

__all__ = ["SparseAdam"]


@keras.saving.register_keras_serializable(package="keras_emb")
class SparseAdam(keras.optimizers.Adam):
    """Adam that reads and writes only the rows a batch has touched.

    `keras.optimizers.Adam` walks the whole table and both of its moments in
    every step, and squares the slices of repeated ids one by one. Here the
    slices are summed first and only the rows present in the batch, and their
    moments, are read, updated and written back: a step costs the same for ten
    thousand rows and for ten million. Dense gradients take the usual Adam
    step, so one optimizer serves tables and dense layers alike.

    A row that is absent from a batch keeps its moments and its place: this is
    lazy Adam, equal to Adam (Kingma and Ba, 2015, Algorithm 1) when every row
    is touched in every step, and another algorithm otherwise. The correction
    of the moments' bias counts the optimizer's steps, not a row's own: the
    first step of a row that comes late is up to
    `(1 - beta_1) / sqrt(1 - beta_2)` rates long, 3.2 by default.

    >>> import keras, keras_emb
    >>> optimizer = keras_emb.SparseAdam(learning_rate=1e-3)
    >>> table = keras_emb.layers.DenseEmbedding(1000, 8)
    >>> optimizer.build([table.embeddings])

    Args:
        learning_rate: A float or a `keras.optimizers.schedules` object.
        beta_1: Decay of the first moment.
        beta_2: Decay of the second moment.
        epsilon: Added to the root of the second moment.
        clipnorm: If set, each gradient is clipped to this norm, after the
            slices of repeated ids have been summed.
        clipvalue: If set, each entry is clipped to this size, likewise.
        global_clipnorm: If set, all gradients together are clipped to this
            norm, likewise.
        name: Name of the optimizer.
        **kwargs: `loss_scale_factor`. Weight decay, moving averages,
            AMSGrad and gradient accumulation would touch whole tables in
            every step and are refused.

    Raises:
        ValueError: If an argument is given that needs the whole table.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float = 1e-7,
        clipnorm: float | None = None,
        clipvalue: float | None = None,
        global_clipnorm: float | None = None,
        name: str = "sparse_adam",
        **kwargs: Any,
    ) -> None:
        # Not handed on even when off: Keras walks the tables for a decay of 0.
        given = {
            key: kwargs.pop(key, None)
            for key in (
                "weight_decay",
                "use_ema",
                "amsgrad",
                "gradient_accumulation_steps",
            )
        }
        refused = {key: value for key, value in given.items() if value}
        if refused:
            raise ValueError(
                "SparseAdam updates only the rows of a batch; an argument "
                "that works on whole tables is not supported. Received: "
                + ", ".join(f"{k}={v}" for k, v in refused.items())
            )
        super().__init__(
            learning_rate=learning_rate,
            beta_1=beta_1,
            beta_2=beta_2,
            epsilon=epsilon,
            clipnorm=clipnorm,
            clipvalue=clipvalue,
            global_clipnorm=global_clipnorm,
            name=name,
            **kwargs,
        )

    def apply(self, grads: Any, trainable_variables: Any = None) -> None:
        """Applies gradients, dense or sparse, to their variables."""
        if self.clipnorm or self.clipvalue or self.global_clipnorm:
            grads = [
                deduplicate(g) if isinstance(g, tf.IndexedSlices) else g
                for g in grads
            ]
        super().apply(grads, trainable_variables)

    def update_step(
        self, gradient: Any, variable: Any, learning_rate: Any
    ) -> None:
        """Updates one variable."""
        if not isinstance(gradient, tf.IndexedSlices):
            super().update_step(gradient, variable, learning_rate)
            return
        # Replicas' slices are joined just before this point, not earlier.
        gradient = deduplicate(gradient)
        rows, values = gradient.indices, gradient.values
        dtype = variable.dtype
        values = tf.cast(values, dtype)
        step = tf.cast(self.iterations + 1, dtype)
        beta_1 = tf.constant(self.beta_1, dtype)
        beta_2 = tf.constant(self.beta_2, dtype)
        rate = (
            tf.cast(learning_rate, dtype)
            * tf.sqrt(1 - tf.pow(beta_2, step))
            / (1 - tf.pow(beta_1, step))
        )
        index = self._get_variable_index(variable)
        first = self._momentums[index].value
        second = self._velocities[index].value

        first_rows = tf.gather(first, rows)
        first_rows += (values - first_rows) * (1 - beta_1)
        second_rows = tf.gather(second, rows)
        second_rows += (tf.square(values) - second_rows) * (1 - beta_2)
        first.scatter_update(tf.IndexedSlices(first_rows, rows))
        second.scatter_update(tf.IndexedSlices(second_rows, rows))
        if isinstance(variable, keras.Variable):
            variable = variable.value
        # Read, then write: scatter_sub waits for memory row by row.
        variable_rows = tf.gather(variable, rows)
        variable_rows -= (
            rate * first_rows / (tf.sqrt(second_rows) + self.epsilon)
        )
        variable.scatter_update(tf.IndexedSlices(variable_rows, rows))

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        for key in (
            "weight_decay",
            "use_ema",
            "ema_momentum",
            "ema_overwrite_frequency",
            "amsgrad",
            "gradient_accumulation_steps",
        ):
            config.pop(key, None)
        return dict(config)
