import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import (
    MultiSizeEmbedding,
    PopularityController,
    SoftSizeEmbedding,
)
from keras_emb.zoo import StreamingDLRS
from tests.testing import run_model_test, save_and_load

IDS = {
    "user": np.array([0, 1, 2, 5, 5], "int32"),
    "item": np.array([3, 0, 3, 1, 2], "int32"),
}


def make(task="binary", **kwargs):
    """A model whose normalisations do something."""
    keras.utils.set_random_seed(1)
    model = StreamingDLRS.from_sizes(
        users=6,
        items=4,
        embedding_dim=3,
        task=task,
        hidden_units=8,
        **kwargs,
    )
    random = np.random.default_rng(1)
    for name in ("input_normalization", "hidden_normalization"):
        for variable, low in zip(
            model.get_layer(name).variables, (0.5, -1, -1, 0.5), strict=True
        ):
            variable.assign(random.uniform(low, low + 2, variable.shape))
    return model


def oracle(model, training):
    """The forward pass in float64."""

    def normal(name, values):
        gamma, beta, mean, variance = (
            v.numpy().astype("float64") for v in model.get_layer(name).variables
        )
        if training:
            mean, variance = values.mean(0), values.var(0)
        root = np.sqrt(variance + model.epsilon)
        return gamma * (values - mean) / root + beta

    def dense(name, values):
        layer = model.get_layer(name)
        return values @ layer.kernel.numpy() + (
            layer.bias.numpy() if layer.use_bias else 0
        )

    rows = [model.tables[name].values()[ids] for name, ids in IDS.items()]
    hidden = normal("input_normalization", np.concatenate(rows, 1))
    hidden = normal("hidden_normalization", dense("hidden_0", hidden))
    output = dense("output", np.tanh(hidden))
    if model.task == "binary":
        return 1 / (1 + np.exp(-output))
    if model.task == "multiclass":
        powers = np.exp(output)
        return powers / powers.sum(1, keepdims=True)
    return output


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("task", ["binary", "multiclass", "rating"])
def test_against_numpy(task, training):
    model = make(task, epsilon=0.01, num_classes=4)
    expected = oracle(model, training)
    assert expected.shape == (5, 4 if task == "multiclass" else 1)
    found = model(IDS, training=training)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_training_moves_the_statistics_by_the_momentum():
    model = make(momentum=0.75)
    norm = model.get_layer("input_normalization")
    before = norm.moving_mean.numpy()
    rows = [model.tables[name].values()[ids] for name, ids in IDS.items()]
    model(IDS, training=True)
    expected = 0.75 * before + 0.25 * np.concatenate(rows, 1).mean(0)
    np.testing.assert_allclose(norm.moving_mean.numpy(), expected, atol=1e-6)


def test_multiclass_learns_its_classes_and_is_saved():
    model = make("multiclass", num_classes=3)
    labels = np.array([0, 1, 2, 0, 1])
    model.compile(
        keras.optimizers.Adam(0.05), loss="sparse_categorical_crossentropy"
    )
    before = model.evaluate(IDS, labels, verbose=0)
    model.fit(IDS, labels, epochs=20, verbose=0)
    assert model.evaluate(IDS, labels, verbose=0) < before
    loaded = save_and_load(model)
    assert (loaded.task, loaded.num_classes) == ("multiclass", 3)
    np.testing.assert_array_equal(loaded(IDS), model(IDS))
    for jit_compile in (False, True):
        call = tf.function(model, jit_compile=jit_compile)
        np.testing.assert_allclose(call(IDS), model(IDS), 1e-5, 1e-6)


def test_tables_of_several_widths_will_do():
    tables = {
        name: SoftSizeEmbedding(
            MultiSizeEmbedding(rows, [1, 3], name="candidates"),
            PopularityController(2, cap=4, hidden_units=4, name="controller"),
            name=f"{name}_table",
        )
        for name, rows in (("user", 6), ("item", 4))
    }
    run_model_test(StreamingDLRS(tables, hidden_units=8), IDS)


def test_refuses_other_tasks():
    with pytest.raises(ValueError, match="`task` must be one of.*'ranking'"):
        make("ranking")
