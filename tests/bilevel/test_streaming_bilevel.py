"""The controllers of AutoEmb's tables, trained on a second loss."""

import numpy as np
import pytest
import tensorflow as tf

from tests.training.streams import (
    interactions,
    make_bilevel,
    observed_state,
)

RATE = 0.3


def make(order="first_order", controller="weights"):
    """A model whose ids have been seen, and which is far from its goal."""
    model = make_bilevel(
        controller,
        "rating",
        hypergradient=order,
        inner_learning_rate=RATE,
    )
    # One step of descent shows the gradient itself.
    model.compile(
        "sgd",
        outer_optimizer="sgd",
        loss="mse",
        hypergradient=order,
        inner_learning_rate=RATE,
        outer_first=True,
    )
    model.outer_optimizer.learning_rate = 1.0
    random = np.random.default_rng(0)
    for side, table in model.model.tables.items():
        values = table.candidates.embeddings
        values.assign(random.normal(size=values.shape))
        for variable in table.controller.trainable_variables:
            noise = random.normal(size=variable.shape)
            variable.assign(variable + 0.5 * noise)
        table.observe(interactions(20, seed=3)[0][side])
    return model


def batch(seed=0, size=9):
    def part(seed):
        ids, _ = interactions(size, seed)
        stars = 2 * np.random.default_rng(seed).normal(size=(size, 1))
        return ids, stars.astype("float32")

    x, y = part(seed)
    outer, target = part(seed + 100)
    return {"inner": x, "outer": outer, "outer_target": target}, y


def outer_gradients(model, data):
    before = [v.numpy() for v in model.outer_variables]
    model.outer_step(data)
    gradients = [
        old - v.numpy()
        for old, v in zip(before, model.outer_variables, strict=True)
    ]
    for variable, value in zip(model.outer_variables, before, strict=True):
        variable.assign(value)
    return gradients


def validation_loss(model, data, unrolled):
    """What the hypergradient differentiates, by plain training steps."""
    x, y = data
    if unrolled:
        values = [v.value for v in model.inner_variables]
        statistics = [
            (v, tf.identity(v.value)) for v in model.non_trainable_variables
        ]
        with tf.GradientTape() as tape:
            error = model.model(x["inner"], training=True) - y
            loss = tf.reduce_mean(error**2)
        for value, gradient in zip(
            values, tape.gradient(loss, values), strict=True
        ):
            value.assign_sub(RATE * tf.convert_to_tensor(gradient))
        # A virtual step leaves batch-norm statistics where they were.
        for variable, old in statistics:
            variable.assign(old)
    error = model.model(x["outer"], training=False) - x["outer_target"]
    return tf.reduce_mean(error**2)


def differences(model, data, unrolled, gradients):
    """Central differences along one direction a variable."""
    others = [
        v
        for v in model.variables
        if all(v is not o for o in model.outer_variables)
    ]
    start = [v.numpy() for v in others]
    value = tf.function(lambda: validation_loss(model, data, unrolled))
    random = np.random.default_rng(5)
    step, pairs = 5e-3, []
    for variable, gradient in zip(
        model.outer_variables, gradients, strict=True
    ):
        for _ in range(2):
            old = variable.numpy()
            direction = random.choice([-1.0, 1.0], old.shape)
            ends = []
            for sign in (1, -1):
                variable.assign(old + sign * step * direction)
                ends.append(float(value()))
                for other, kept in zip(others, start, strict=True):
                    other.assign(kept)
            variable.assign(old)
            pairs.append(
                (
                    (gradient * direction).sum(),
                    (ends[0] - ends[1]) / (2 * step),
                )
            )
    return np.array(pairs)


@pytest.mark.parametrize("controller", ["weights", "logits"])
@pytest.mark.parametrize("order", ["first_order", "unrolled"])
def test_hypergradient_of_the_controllers(order, controller):
    model = make(order, controller)
    data = batch()
    gradients = outer_gradients(model, data)
    found, expected = differences(model, data, order == "unrolled", gradients).T
    assert np.abs(expected).max() > 0.05
    # Exact: TensorFlow's own moments would be off by hundreds of this.
    np.testing.assert_allclose(found, expected, rtol=1e-2, atol=3e-4)
    if order == "unrolled":
        model.hypergradient = "first_order"
        still = outer_gradients(model, data)
        change = [
            np.abs(a - b).max() for a, b in zip(still, gradients, strict=True)
        ]
        assert max(change) > 1e-2


@pytest.mark.parametrize("order", ["first_order", "unrolled"])
def test_an_outer_step_moves_the_controllers_alone(order):
    model = make(order)
    outer = {id(v) for v in model.outer_variables}
    before = [v.numpy() for v in model.variables]
    model.outer_step(batch())
    moved = [
        v
        for old, v in zip(before, model.variables, strict=True)
        if (old != v.numpy()).any()
    ]
    # Batch-norm statistics, counts and last weights are among the others.
    assert moved and {id(v) for v in moved} <= outer
    assert len(moved) == len(outer)


def test_an_inner_step_moves_everything_else_and_no_count():
    model = make()
    outer = [v.numpy() for v in model.outer_variables]
    inner = [v.numpy() for v in model.inner_variables]
    seen = observed_state(model)
    norm = model.model.get_layer("input_normalization").moving_mean
    mean = norm.numpy()
    logs = model.inner_step(batch())
    for old, new in zip(outer, model.outer_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    assert all(
        (old != new.numpy()).any()
        for old, new in zip(inner, model.inner_variables, strict=True)
        # A bias before a normalisation has no effect in training, and the
        # map of a single coordinate next to none: its scale is divided out.
        if not new.path.endswith(("hidden_0/bias", "/kernel_1"))
    )
    for old, new in zip(seen, observed_state(model), strict=True):
        np.testing.assert_array_equal(old, new)
    assert (norm.numpy() != mean).any()
    assert float(logs["loss"]) > 0


def test_a_train_step_is_the_outer_then_the_inner_step():
    one, other = make(), make()
    data = batch()
    x, _ = data
    error = one.model(x["outer"], training=False) - x["outer_target"]
    logs = one.train_step(data)
    other.outer_step(data)
    other.inner_step(data)
    for left, right in zip(one.variables, other.variables, strict=True):
        np.testing.assert_allclose(left.numpy(), right.numpy(), atol=1e-6)
    np.testing.assert_allclose(
        float(logs["outer_loss"]), np.mean(np.square(error)), rtol=1e-5
    )


def test_an_unrolled_step_leaves_tensorflow_as_it_was():
    stock = tf.nn.moments
    model = make("unrolled")
    model.outer_step(batch())
    assert tf.nn.moments is stock
    x, y = batch()
    with pytest.raises(Exception, match="user"):
        model.outer_step(({**x, "inner": {}}, y))
    assert tf.nn.moments is stock
