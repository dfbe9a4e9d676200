"""Gradients of a validation loss through a step of training."""

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import tensorflow as tf

from keras_emb.layers.row_scope import RowScope
from keras_emb.optimizers.deduplicate import deduplicate

__all__ = ["first_order_hypergradient", "unrolled_hypergradient"]

LossFunction = Callable[[], Any]


def first_order_hypergradient(
    validation_loss: LossFunction, outer: Sequence[keras.Variable]
) -> list[Any]:
    """Gradient of the validation loss with the inner variables held still.

    DARTS (Liu et al., ICLR 2019), Equation 7 with a step of zero; the
    first-order order of AutoEmb and DNIS.

    Args:
        validation_loss: Computes the scalar validation loss.
        outer: Variables to differentiate by.

    Returns:
        One gradient a variable; None where the loss does not depend on it.
    """
    with tf.GradientTape(watch_accessed_variables=False) as tape:
        tape.watch([v.value for v in outer])
        loss = validation_loss()
    return list(tape.gradient(loss, [v.value for v in outer]))


def unrolled_hypergradient(
    training_loss: LossFunction,
    validation_loss: LossFunction,
    inner: Sequence[keras.Variable],
    outer: Sequence[keras.Variable],
    inner_learning_rate: Any,
) -> list[Any]:
    """Gradient of the validation loss after one virtual step of training.

    DARTS, Equation 6: `d/d outer L_val(w - rate * d/dw L_train(w, outer),
    outer)`, differentiated through the step. The step is plain gradient
    descent whatever the inner optimizer is. Tables read by `gather_rows` are
    moved by the rows of the batch alone, so the cost does not grow with the
    table. No variable changes, batch-norm statistics included.

    Args:
        training_loss: Computes the scalar loss of a training batch.
        validation_loss: Computes the scalar loss of a validation batch.
        inner: Variables that take the virtual step.
        outer: Variables to differentiate by.
        inner_learning_rate: Size of the virtual step.

    Returns:
        One gradient a variable of `outer`.
    """
    with tf.GradientTape() as outer_tape:
        outer_tape.watch([v.value for v in outer])
        with keras.StatelessScope(), RowScope() as scope:
            with tf.GradientTape() as inner_tape:
                inner_tape.watch([v.value for v in inner])
                with _twice_differentiable_moments():
                    loss = training_loss()
            gradients = inner_tape.gradient(loss, [v.value for v in inner])
        rows, dense = [], []
        for variable, gradient in zip(inner, gradients, strict=True):
            if gradient is None:
                continue
            rate = tf.cast(inner_learning_rate, gradient.dtype)
            if isinstance(gradient, tf.IndexedSlices) and scope.has_read(
                variable
            ):
                slices = deduplicate(gradient)
                rows.append(
                    (
                        variable,
                        tf.IndexedSlices(-rate * slices.values, slices.indices),
                    )
                )
            else:
                gradient = tf.convert_to_tensor(gradient)
                dense.append((variable, variable.value - rate * gradient))
        with keras.StatelessScope(state_mapping=dense), RowScope(rows):
            loss = validation_loss()
    return list(outer_tape.gradient(loss, [v.value for v in outer]))


@contextlib.contextmanager
def _twice_differentiable_moments() -> Iterator[None]:
    # TensorFlow stops the gradient at the mean inside the variance. That is
    # right once, and wrong for a gradient of a gradient: batch normalisation
    # in training would be differentiated wrongly through the virtual step.
    stock = tf.nn.moments
    tf.nn.moments = _moments
    try:
        yield
    finally:
        tf.nn.moments = stock


def _moments(
    x: Any,
    axes: Any,
    shift: Any = None,
    keepdims: bool = False,
    name: str | None = None,
) -> tuple[Any, Any]:
    mean = tf.reduce_mean(x, axes, keepdims=True)
    variance = tf.reduce_mean(tf.square(x - mean), axes, keepdims=keepdims)
    return (mean if keepdims else tf.squeeze(mean, axes)), variance
