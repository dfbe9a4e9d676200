"""Scoring and training on a stream inside one traced call."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_emb.bilevel import BilevelModel
from keras_emb.layers import find_tables, table_features
from keras_emb.training.step_runner import distribute_stack, standard_arrays

__all__ = ["StreamRunner"]


class StreamRunner:
    """Scores each batch before the model learns from it.

    One step is that of AutoEmb (arXiv 2002.11252): the outer variables learn
    from the past, the current batch is predicted in inference mode, the
    inner variables learn from it, and the tables that keep count observe its
    ids. A model that is no `BilevelModel` has no outer step.

    Args:
        model: A compiled, built Keras model.
        jit_compile: Whether XLA compiles the steps.
    """

    def __init__(self, model: keras.Model, jit_compile: bool = False) -> None:
        self._model = model
        self._bilevel = isinstance(model, BilevelModel)
        self._backbone = model.model if self._bilevel else model
        self._strategy = model.distribute_strategy
        self._jit_compile = jit_compile
        self._functions: dict[bool, Any] = {}
        loss = keras.losses.get(model.loss)
        # As an object it would return the mean over the batch.
        objective = isinstance(loss, keras.losses.Loss)
        self._loss = loss.call if objective else loss
        features = table_features(self._backbone)
        self._observers = [
            (table, features[name])
            for name, table in find_tables(self._backbone).items()
            if hasattr(table, "observe")
        ]

    def run(self, stack: Any, has_past: bool) -> np.ndarray:
        """Goes through the batches of a stack in turn.

        Args:
            stack: What `StreamBatches.stack` gives.
            has_past: Whether the outer variables may learn; the first batch
                of a stream has nothing to learn from.

        Returns:
            Predictions, each made before its batch was learnt from, shape
            `(steps * batch_size, outputs)`.

        Raises:
            FloatingPointError: If a prediction or a loss is not finite.
        """
        steps = len(keras.tree.flatten(stack)[0])
        stack = keras.tree.map_structure(standard_arrays, stack)
        if has_past not in self._functions:
            self._functions[has_past] = self._trace(stack, has_past)
        self._model.reset_metrics()
        predictions = self._functions[has_past](
            distribute_stack(self._strategy, stack), tf.constant(steps)
        ).numpy()
        logs = self._model.get_metrics_result()
        losses = [float(logs["loss"])]
        if not np.isfinite(predictions).all() or not np.isfinite(losses).all():
            raise FloatingPointError(
                "Training diverged: a prediction or a loss is not finite. "
                "Lower the learning rate or look for bad labels. "
                f"Received: loss={losses[0]}"
            )
        return np.asarray(predictions.reshape(-1, predictions.shape[-1]))

    def _step(self, data: Any, has_past: bool) -> Any:
        x, y = data
        inputs = x["inner"]
        if self._bilevel and has_past:
            self._model.outer_step(data)
        prediction = self._backbone(inputs, training=False)
        if self._bilevel:
            self._model.inner_step(data)
        else:
            self._model.train_step((inputs, y))
        for table, feature in self._observers:
            if "last_loss" in table.controller.inputs:
                table.observe(
                    inputs[feature], self._loss(y[:, None], prediction)
                )
            else:
                table.observe(inputs[feature])
        return prediction

    def _trace(self, stack: Any, has_past: bool) -> Any:
        strategy = self._strategy
        several = strategy.num_replicas_in_sync > 1

        def one_step(stack: Any, step: Any) -> Any:
            batch = tf.nest.map_structure(lambda a: a[step], stack)
            return self._step(batch, has_past)

        def run_steps(stack: Any, steps: Any) -> Any:
            predictions = tf.TensorArray(
                tf.float32, size=steps, element_shape=(None, None)
            )
            for step in tf.range(steps):
                if several:
                    parts = strategy.run(one_step, args=(stack, step))
                    prediction = strategy.gather(parts, axis=0)
                else:
                    prediction = one_step(stack, step)
                predictions = predictions.write(step, prediction)
            return predictions.stack()

        if several:
            return tf.function(run_steps, reduce_retracing=True)
        specs = tf.nest.map_structure(
            lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), stack
        )
        return tf.function(
            run_steps,
            input_signature=(specs, tf.TensorSpec((), tf.int32)),
            # The first batch of a stream is not worth a compilation.
            jit_compile=(self._jit_compile and has_past) or None,
        )
