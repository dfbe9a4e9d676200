import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import (
    MultiSizeEmbedding,
    PopularityController,
    SizeLogits,
    SoftSizeEmbedding,
)
from tests.testing import run_layer_test, save_and_load

IDS = np.array([0, 4, 2, 2, 1, 6], "int32")
ROWS = 7


def controller_of(kind, **kwargs):
    if kind == "logits":
        return SizeLogits(ROWS, 3, **kwargs)
    return PopularityController(
        3,
        use_last_weights=kind != "popularity",
        use_last_loss=kind == "loss",
        cap=4,
        popularity_dim=3,
        hidden_units=5,
        **kwargs,
    )


def make(kind="weights", mode="soft", decay=1.0, **kwargs):
    """A table whose candidates, weights and counts all differ."""
    keras.utils.set_random_seed(0)
    layer = SoftSizeEmbedding(
        MultiSizeEmbedding(
            ROWS, [1, 2, 4], embeddings_initializer="uniform", **kwargs
        ),
        controller_of(kind, **kwargs),
        mode,
        decay,
        **kwargs,
    )
    layer.candidates.embeddings.assign(
        np.random.default_rng(0).normal(size=(ROWS, 7))
    )
    layer.candidates.normalization.moving_variance.assign(np.full(12, 0.3))
    if kind == "logits":
        layer.controller.logits.assign(
            np.random.default_rng(1).normal(size=(ROWS, 3))
        )
    else:
        # As learnt: from zeros every id would weigh its sizes alike.
        kernel = layer.controller.logits.kernel
        kernel.assign(np.random.default_rng(1).normal(size=kernel.shape))
        loss = np.arange(3.0) if kind == "loss" else None
        layer.observe(np.array([2, 2, 5]), loss)
    return layer


def state(layer):
    return [v.numpy() for v in layer.non_trainable_variables]


@pytest.mark.parametrize(
    ("kind", "mode"), [("weights", "soft"), ("logits", "soft")]
)
def test_layer(kind, mode):
    run_layer_test(
        lambda **kwargs: make(kind, mode, **kwargs),
        IDS,
        expected_shape=(6, 4),
        table=lambda layer: layer.candidates.embeddings,
    )


@pytest.mark.parametrize("mode", ["soft", "hard"])
@pytest.mark.parametrize("kind", ["popularity", "weights", "loss", "logits"])
def test_mixes_the_candidates_by_the_controllers_weights(kind, mode):
    layer = make(kind, mode)
    known = {
        "ids": IDS,
        "popularity": layer.counter.counts.numpy()[IDS],
        # Two ids have been seen: twice and once.
        "last_weights": np.eye(3)[[0] * 6],
        "last_loss": np.array([0, 0, 1, 1, 0, 0]),
    }
    assert known["popularity"].tolist() == (
        [0] * 6 if kind == "logits" else [0, 0, 2, 2, 0, 0]
    )
    if kind in ("weights", "loss"):
        known["last_weights"][2:4] = layer._state["last_weights"][2]
        assert known["last_weights"][2, 0] < 0.9
    weights = np.asarray(
        layer.controller(*(known[name] for name in layer.controller.inputs))
    )
    np.testing.assert_allclose(layer.weights_of(IDS), weights, atol=1e-6)
    if mode == "hard":
        weights = np.eye(3)[weights.argmax(1)]
    expected = np.einsum("bn,bnd->bd", weights, layer.candidates(IDS))
    np.testing.assert_allclose(layer(IDS), expected, atol=1e-6)


def test_a_new_id_has_all_its_last_weight_on_the_smallest():
    layer = SoftSizeEmbedding(
        MultiSizeEmbedding(ROWS, [1, 2, 4]), controller_of("loss")
    )
    np.testing.assert_array_equal(
        layer._state["last_weights"].numpy(), np.eye(3)[[0] * ROWS]
    )
    assert not layer._state["last_loss"].numpy().any()


def test_observing_keeps_the_weights_given_then_counts():
    layer = make("loss")
    before = [v.numpy() for v in layer.variables]
    given = np.asarray(layer.weights_of(IDS))
    layer.observe(IDS, np.array([0.1, 0.2, 0.3, 0.3, 0.4, 0.5]))
    np.testing.assert_array_equal(
        layer.counter.counts.numpy(), [1, 1, 4, 0, 1, 1, 1]
    )
    weights = layer._state["last_weights"].numpy()
    np.testing.assert_allclose(weights[IDS], given, atol=1e-7)
    loss = layer._state["last_loss"].numpy()
    np.testing.assert_allclose(loss, [0.1, 0.4, 0.3, 0, 0.2, 2, 0.5])
    changed = [
        v.name
        for old, v in zip(before, layer.variables, strict=True)
        if (old != v.numpy()).any()
    ]
    assert sorted(changed) == ["counts", "last_loss", "last_weights"]


@pytest.mark.parametrize("compiled", [False, True])
def test_the_last_loss_of_a_repeated_id_is_that_of_its_last_sight(compiled):
    layer = make("loss")
    observe = (
        tf.function(layer.observe, jit_compile=True)
        if compiled
        else layer.observe
    )
    ids = np.array([3, 1, 3, 6, 3, 1])
    observe(tf.constant(ids), tf.constant(np.arange(6.0) + 1))
    loss = layer._state["last_loss"].numpy()
    assert loss[[3, 1, 6]].tolist() == [5, 6, 4]


@pytest.mark.parametrize("training", [False, True])
def test_calls_leave_counts_and_last_weights_alone(training):
    layer = make("loss", decay=0.9)
    names = ("counts", "seen_at", "clock", "last_weights", "last_loss")
    kept = [v for v in layer.variables if v.name in names]
    assert len(kept) == 5
    before = [v.numpy() for v in kept]
    layer(IDS, training=training)
    layer.weights_of(IDS, training=training)
    layer.size_weights()
    for old, new in zip(before, kept, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_inference_changes_nothing_and_training_only_statistics():
    layer = make("weights")
    before = [v.numpy() for v in layer.variables]
    layer(IDS)
    for old, new in zip(before, layer.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    layer(IDS, training=True)
    changed = {
        v.name
        for old, v in zip(before, layer.variables, strict=True)
        if (old != v.numpy()).any()
    }
    assert changed == {"moving_mean", "moving_variance"}


@pytest.mark.parametrize("batch_size", [3, 100])
def test_size_weights_are_those_of_every_row(batch_size):
    layer = make()
    found = layer.size_weights(batch_size)
    assert found.shape == (ROWS, 3)
    np.testing.assert_allclose(found.sum(1), 1, atol=1e-6)
    np.testing.assert_allclose(found[IDS], layer.weights_of(IDS), atol=1e-6)
    assert np.abs(found[2] - found[5]).max() > 1e-4


@pytest.mark.parametrize(
    ("mode", "training"),
    [("soft", False), ("soft", True), ("hard", False), ("hard", True)],
)
def test_the_controller_learns_through_the_selection(mode, training):
    layer = make("weights", mode)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(IDS, training=training) ** 2)
    gradients = tape.gradient(
        loss, [v.value for v in layer.controller.trainable_variables]
    )
    assert all(
        np.abs(tf.convert_to_tensor(g)).max() > 0
        for v, g in zip(
            layer.controller.trainable_variables, gradients, strict=True
        )
        # A bias before a normalisation has no effect in training.
        if not (training and v.path.endswith("hidden/bias"))
    )


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_a_saved_table_goes_on(decay):
    layer = make("loss", decay=decay)
    ids = keras.Input((), dtype="int32")
    loaded = save_and_load(keras.Model(ids, layer(ids)))
    copy = next(x for x in loaded.layers if isinstance(x, SoftSizeEmbedding))
    assert copy.decay == decay
    for table in (layer, copy):
        table.observe(IDS, np.arange(6.0))
    for one, other in zip(state(layer), state(copy), strict=True):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(layer(IDS), copy(IDS))


def test_mode_survives_the_config():
    copy = SoftSizeEmbedding.from_config(make(mode="hard").get_config())
    assert copy.mode == copy.selection.mode == "hard"
    assert copy.vocabulary_size == ROWS
    assert copy.output_dim == 4


def test_refuses_another_number_of_sizes():
    with pytest.raises(ValueError, match="same number of sizes.*2 and 3"):
        SoftSizeEmbedding(
            MultiSizeEmbedding(ROWS, [1, 2]), controller_of("weights")
        )


def test_refuses_to_observe_without_the_loss_it_reads():
    layer = make("loss")
    before = state(layer)
    with pytest.raises(ValueError, match="`loss` must be given"):
        layer.observe(IDS)
    for old, new in zip(before, state(layer), strict=True):
        np.testing.assert_array_equal(old, new)
