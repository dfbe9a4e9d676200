"""Several training steps in one traced call."""

from typing import Any

import keras
import numpy as np
import tensorflow as tf

__all__ = ["StepRunner", "distribute_stack", "standard_arrays"]


class StepRunner:
    """Runs a compiled model's `train_step` over a stack of batches.

    The loop over steps is part of the traced function, so Python is entered
    once for many steps; under a `tf.distribute` strategy every batch is cut
    into one part a replica.

    >>> import keras, numpy as np
    >>> model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
    >>> model.compile("sgd", loss="mse")
    >>> runner = StepRunner(model)
    >>> logs = runner.run((np.ones((3, 8, 2)), np.ones((3, 8, 1))))
    >>> sorted(logs)
    ['loss']

    Args:
        model: A compiled, built Keras model.
        jit_compile: Whether XLA compiles the steps; on one replica only.

    Raises:
        ValueError: If XLA is asked for under a strategy of several replicas.
    """

    def __init__(self, model: keras.Model, jit_compile: bool = False) -> None:
        self._model = model
        self._strategy = model.distribute_strategy
        replicas = self._strategy.num_replicas_in_sync
        if jit_compile and replicas > 1:
            raise ValueError(
                "`jit_compile=True` runs on one replica only. "
                f"Received: {replicas} replicas"
            )
        self._jit_compile = jit_compile
        self._function: Any = None

    def run(self, stack: Any) -> dict[str, float]:
        """Trains on each batch of a stack in turn.

        Args:
            stack: Nest of arrays of shape `(steps, batch, ...)`, laid out as
                `train_step` takes its data.

        Returns:
            The model's metrics over these steps.

        Raises:
            FloatingPointError: If the loss is no longer finite.
        """
        steps = len(keras.tree.flatten(stack)[0])
        stack = keras.tree.map_structure(standard_arrays, stack)
        if self._function is None:
            self._function = self._trace(stack)
        self._model.reset_metrics()
        self._function(
            distribute_stack(self._strategy, stack), tf.constant(steps)
        )
        logs = {
            key: float(value)
            for key, value in self._model.get_metrics_result().items()
        }
        if not np.isfinite(list(logs.values())).all():
            raise FloatingPointError(
                "Training diverged: a loss is not finite. Lower the learning "
                f"rate or look for bad labels. Received: {logs}"
            )
        return logs

    def _trace(self, stack: Any) -> Any:
        model, strategy = self._model, self._strategy

        def one_step(stack: Any, step: Any) -> None:
            # A strategy would have to merge whatever is returned.
            model.train_step(tf.nest.map_structure(lambda a: a[step], stack))

        def run_steps(stack: Any, steps: Any) -> None:
            for step in tf.range(steps):
                strategy.run(one_step, args=(stack, step))

        if strategy.num_replicas_in_sync > 1:
            return tf.function(run_steps, reduce_retracing=True)
        specs = tf.nest.map_structure(
            lambda a: tf.TensorSpec((None, *a.shape[1:]), a.dtype), stack
        )

        def run_steps_here(stack: Any, steps: Any) -> None:
            for step in tf.range(steps):
                one_step(stack, step)

        return tf.function(
            run_steps_here,
            input_signature=(specs, tf.TensorSpec((), tf.int32)),
            jit_compile=self._jit_compile or None,
        )


def standard_arrays(array: Any) -> np.ndarray:
    """The array, in float32 where it came in float64.

    >>> standard_arrays([1.0, 2.0]).dtype
    dtype('float32')

    Args:
        array: Anything NumPy reads.
    """
    array = np.asarray(array)
    return array.astype("float32") if array.dtype == np.float64 else array


def distribute_stack(strategy: Any, stack: Any) -> Any:
    """Cuts the batches of a stack into one part a replica.

    Args:
        strategy: The strategy of the model.
        stack: Nest of arrays of shape `(steps, batch, ...)`.

    Returns:
        Nest of tensors, or of one tensor a replica under several.

    Raises:
        ValueError: If the replicas cannot share a batch evenly.
    """
    replicas = strategy.num_replicas_in_sync
    if replicas == 1:
        return keras.tree.map_structure(tf.convert_to_tensor, stack)
    batch = keras.tree.flatten(stack)[0].shape[1]
    if batch % replicas:
        raise ValueError(
            "The batch size must be a multiple of the number of replicas. "
            f"Received: batch_size={batch}, replicas={replicas}"
        )
    part = batch // replicas

    def cut(array: np.ndarray) -> Any:
        return strategy.experimental_distribute_values_from_function(
            lambda context: tf.convert_to_tensor(
                array[
                    :,
                    context.replica_id_in_sync_group * part : (
                        context.replica_id_in_sync_group + 1
                    )
                    * part,
                ]
            )
        )

    return keras.tree.map_structure(cut, stack)
