import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.bilevel import (
    first_order_hypergradient,
    unrolled_hypergradient,
)
from keras_emb.layers import (
    DenseEmbedding,
    SelectedEmbedding,
    SoftDimensionSelection,
)

RATE = 0.5


@pytest.fixture(params=[False, True], ids=["plain", "batch norm"])
def problem(request):
    """A small search problem; ids repeat within and across the batches."""
    keras.utils.set_random_seed(0)
    selection = SoftDimensionSelection(2, 3, init=0.6)
    table = DenseEmbedding(7, 3, embeddings_initializer="random_normal")
    table.embeddings.assign(20 * table.embeddings)
    selected = SelectedEmbedding(table, selection, np.arange(7) % 2)
    ids = keras.Input((), dtype="int32")
    hidden = selected(ids)
    if request.param:
        hidden = keras.layers.BatchNormalization()(hidden)
    hidden = keras.layers.Dense(4, activation="tanh")(hidden)
    model = keras.Model(ids, keras.layers.Dense(1)(hidden))
    random = np.random.default_rng(1)
    batches = [
        (
            tf.constant(random.integers(0, 7, 9), tf.int32),
            tf.constant(random.normal(size=(9, 1)), tf.float32),
        )
        for _ in range(2)
    ]

    def loss(batch, training):
        predictions = model(batch[0], training=training)
        return tf.reduce_mean((predictions - batch[1]) ** 2)

    inner = [v for v in model.trainable_variables if v is not selection.alpha]
    return (
        model,
        selection.alpha,
        inner,
        lambda: loss(batches[0], True),
        lambda: loss(batches[1], False),
    )


def dense_step(model, inner, training_loss):
    """One step of gradient descent on whole tables, for real."""
    with tf.GradientTape() as tape:
        loss = training_loss()
    gradients = tape.gradient(loss, [v.value for v in inner])
    for variable, gradient in zip(inner, gradients, strict=True):
        variable.assign_sub(RATE * tf.convert_to_tensor(gradient))


def differences(alpha, value):
    start = alpha.numpy()
    found = np.zeros_like(start)
    step = 1e-2
    for index in np.ndindex(*start.shape):
        ends = []
        for sign in (1, -1):
            moved = start.copy()
            moved[index] += sign * step
            alpha.assign(moved)
            ends.append(value())
        found[index] = (ends[0] - ends[1]) / (2 * step)
    alpha.assign(start)
    return found


def test_first_order_against_differences(problem):
    _, alpha, _, _, validation_loss = problem
    (gradient,) = first_order_hypergradient(validation_loss, [alpha])
    expected = differences(alpha, lambda: float(validation_loss()))
    np.testing.assert_allclose(
        tf.convert_to_tensor(gradient), expected, rtol=1e-2, atol=1e-4
    )


@pytest.mark.parametrize("traced", [False, True])
def test_unrolled_against_differences(problem, traced):
    model, alpha, inner, training_loss, validation_loss = problem

    def compute():
        (gradient,) = unrolled_hypergradient(
            training_loss, validation_loss, inner, [alpha], RATE
        )
        return tf.convert_to_tensor(gradient)

    gradient = tf.function(compute)() if traced else compute()
    start = model.get_weights()
    place = [i for i, v in enumerate(model.weights) if v is alpha][0]

    def after_a_step():
        moved = alpha.numpy()
        dense_step(model, inner, training_loss)
        # The virtual step leaves batch-norm statistics where they were.
        for variable, value in zip(model.weights, start, strict=True):
            if not variable.trainable:
                variable.assign(value)
        loss = float(validation_loss())
        model.set_weights([*start[:place], moved, *start[place + 1 :]])
        return loss

    expected = differences(alpha, after_a_step)
    np.testing.assert_allclose(gradient, expected, rtol=2e-2, atol=1e-3)
    (first,) = first_order_hypergradient(validation_loss, [alpha])
    assert np.abs(tf.convert_to_tensor(first) - expected).max() > 1e-2


def test_unrolled_moves_no_variable(problem):
    model, alpha, inner, training_loss, validation_loss = problem
    before = model.get_weights()
    unrolled_hypergradient(training_loss, validation_loss, inner, [alpha], RATE)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
