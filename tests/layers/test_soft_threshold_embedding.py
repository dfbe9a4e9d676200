import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import (
    DenseEmbedding,
    SoftThresholdEmbedding,
    soft_threshold,
)
from tests.testing import assert_reads_rows_only, run_layer_test

IDS = np.array([0, 1, 2, 2], "int32")
SHAPES = {
    "global": (),
    "dimension": (4,),
    "feature": (3, 1),
    "feature_dimension": (3, 4),
}
GRANULARITIES = pytest.mark.parametrize("granularity", SHAPES)


def make(granularity="feature_dimension", seed=0, **kwargs):
    layer = SoftThresholdEmbedding(3, 4, granularity, **kwargs)
    random = np.random.default_rng(seed)
    layer.embeddings.assign(random.normal(size=(3, 4)))
    layer.thresholds.assign(random.normal(size=SHAPES[granularity]) - 0.5)
    return layer


def oracle(values, logits):
    threshold = 1 / (1 + np.exp(-np.asarray(logits, "float64")))
    return np.sign(values) * np.maximum(np.abs(values) - threshold, 0)


@GRANULARITIES
def test_layer(granularity):
    run_layer_test(
        lambda **kwargs: make(granularity, **kwargs),
        IDS,
        expected_shape=(4, 4),
        table=lambda layer: layer.embeddings,
    )


@pytest.mark.parametrize("granularity", ["feature", "feature_dimension"])
def test_thresholds_of_rows_are_gathered(granularity):
    layer = make(granularity)
    assert_reads_rows_only(layer, layer.thresholds, (IDS,))


@GRANULARITIES
def test_answers_as_numpy(granularity):
    layer = make(granularity)
    values, logits = layer.embeddings.numpy(), layer.thresholds.numpy()
    assert logits.shape == SHAPES[granularity]
    expected = oracle(values, logits)
    assert 0 < (expected == 0).sum() < expected.size
    np.testing.assert_allclose(layer.values(), expected, 1e-5, 1e-7)
    np.testing.assert_allclose(layer(IDS), expected[IDS], 1e-5, 1e-7)
    np.testing.assert_array_equal(layer.mask(), expected != 0)


@GRANULARITIES
def test_gradients_against_finite_differences(granularity):
    layer = make(granularity, weight_decay=0.3)
    values = layer.embeddings.numpy().astype("float64")
    logits = layer.thresholds.numpy().astype("float64")
    weights = np.random.default_rng(1).normal(size=(4, 4))

    def loss(values, logits):
        read = logits[IDS] if granularity.startswith("feature") else logits
        decay = (values[IDS] ** 2).mean() + (read**2).mean()
        rows = oracle(values, logits)[IDS]
        return (rows * weights).sum() + 0.3 * decay

    with tf.GradientTape() as tape:
        rows = layer(IDS, training=True)
        total = tf.reduce_sum(rows * weights) + sum(layer.losses)
    found = tape.gradient(
        total, [layer.embeddings.value, layer.thresholds.value]
    )
    for number, gradient in enumerate(found):
        arguments = [values, logits]
        expected = np.zeros_like(arguments[number])
        for place in np.ndindex(expected.shape):
            step = np.zeros_like(expected)
            step[place] = 1e-6
            ends = []
            for sign in (1, -1):
                moved = list(arguments)
                moved[number] = moved[number] + sign * step
                ends.append(loss(*moved))
            expected[place] = (ends[0] - ends[1]) / 2e-6
        np.testing.assert_allclose(
            tf.convert_to_tensor(gradient), expected, 1e-4, 1e-5
        )


def test_decays_only_while_training():
    layer = make(weight_decay=1.0)
    layer(IDS)
    assert not layer.losses
    layer(IDS, training=True)
    layer(IDS, training=True)
    assert len(layer.losses) == 1
    make()(IDS, training=True)
    assert not make().losses


def test_takes_the_values_of_another_table():
    table = DenseEmbedding(3, 4, name="user")
    layer = SoftThresholdEmbedding.from_table(table, initial_threshold=-100)
    assert layer.name == "user"
    np.testing.assert_array_equal(layer.values(), table.values())


def test_a_threshold_of_zero_width_changes_nothing():
    values = np.array([-1.0, 0.0, 2.0], "float32")
    np.testing.assert_array_equal(soft_threshold(values, -200.0), values)


def test_refuses_wrong_arguments():
    with pytest.raises(ValueError, match="`granularity` must be one of"):
        SoftThresholdEmbedding(3, 4, "field")
    with pytest.raises(ValueError, match="`weight_decay` must not be"):
        SoftThresholdEmbedding(3, 4, weight_decay=-1.0)
