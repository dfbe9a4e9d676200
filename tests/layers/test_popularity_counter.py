import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import PopularityCounter
from tests.testing import run_layer_test, save_and_load

IDS = np.array([0, 3, 3, 1], "int32")
BATCHES = [[3, 3, 1], [3, 0, 0], [2, 2, 2], [4, 3, 3]]


def make(decay=1.0, **kwargs):
    layer = PopularityCounter(6, decay, **kwargs)
    for ids in BATCHES:
        layer.observe(np.array(ids))
    return layer


def oracle(decay):
    """Each sight, faded once for every batch observed after it."""
    counts = np.zeros(6)
    for ids in BATCHES:
        counts = counts * decay + np.bincount(ids, minlength=6)
    return counts


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_layer(decay):
    run_layer_test(
        lambda: make(decay), IDS, expected_shape=(4,), mixed_precision=False
    )


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_counts_alike_under_mixed_precision(policy, decay):
    layer = PopularityCounter(3, decay, dtype=policy)
    layer.counts.assign([0, 1000, 4099])
    layer.observe(np.array([2]))
    found = layer(np.array([1, 2]))
    assert found.dtype == layer.count_dtype
    np.testing.assert_array_equal(found, [1000 * decay, 4099 * decay + 1])


def test_counts_every_sight():
    layer = make()
    assert layer.counts.dtype == "int64"
    np.testing.assert_array_equal(layer(np.arange(6)), [2, 1, 3, 5, 1, 0])
    assert layer(np.array([[3, 5]])).shape == (1, 2)


@pytest.mark.parametrize("decay", [0.5, 0.9])
def test_decay_fades_a_count_once_for_every_batch_since(decay):
    layer = make(decay)
    np.testing.assert_allclose(layer(np.arange(6)), oracle(decay), rtol=1e-6)


def test_a_sight_just_observed_counts_in_full():
    layer = PopularityCounter(3, decay=0.5)
    for expected in (1.0, 1.5, 1.75):
        layer.observe(np.array([1]))
        assert float(layer(np.array([1]))[0]) == expected
    layer.observe(np.array([2]))
    np.testing.assert_array_equal(layer(np.arange(3)), [0, 0.875, 1])


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_asking_changes_nothing(decay):
    layer = make(decay)
    before = [v.numpy() for v in layer.variables]
    layer(IDS)
    layer(IDS)
    for old, new in zip(before, layer.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


def test_counts_beyond_what_float32_can():
    layer = PopularityCounter(2)
    layer.counts.assign([2**24, 2**53])
    layer.observe(np.array([0, 1]))
    np.testing.assert_array_equal(layer(np.arange(2)), [2**24 + 1, 2**53 + 1])


@pytest.mark.parametrize("decay", [1.0, 0.5])
@pytest.mark.parametrize("jit_compile", [False, True])
def test_observes_alike_in_a_graph(decay, jit_compile):
    layer = PopularityCounter(6, decay)
    observe = tf.function(layer.observe, jit_compile=jit_compile)
    for ids in BATCHES:
        observe(tf.constant(ids))
    np.testing.assert_allclose(
        layer(np.arange(6)), make(decay)(np.arange(6)), rtol=1e-6
    )


@pytest.mark.parametrize("decay", [1.0, 0.5])
def test_a_saved_counter_goes_on(decay):
    layer = make(decay)
    ids = keras.Input((), dtype="int32")
    loaded = save_and_load(keras.Model(ids, layer(ids)))
    copy = next(x for x in loaded.layers if isinstance(x, PopularityCounter))
    for counter in (layer, copy):
        counter.observe(np.array([0, 5]))
    np.testing.assert_array_equal(copy(np.arange(6)), layer(np.arange(6)))


def test_no_variable_is_trained():
    assert make(0.5).trainable_variables == []


@pytest.mark.parametrize("decay", [0.0, -0.5, 1.5])
def test_refuses_decays(decay):
    with pytest.raises(ValueError, match="`decay` must lie in"):
        PopularityCounter(3, decay)
