import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import MaskedEmbedding
from tests.testing import run_layer_test

IDS = np.array([0, 1, 2, 2], "int32")
MASK = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]], bool)


@pytest.mark.parametrize("structure", ["prefix", "mask"])
def test_layer(structure):
    def make(**kwargs):
        layer = MaskedEmbedding(3, 4, structure, **kwargs)
        if structure == "prefix":
            layer.assign_sizes([1, 0, 4])
        else:
            layer.assign_mask(MASK)
        return layer

    run_layer_test(
        make,
        IDS,
        expected_shape=(4, 4),
        table=lambda layer: layer.embeddings,
    )


@pytest.mark.parametrize("structure", ["prefix", "mask"])
def test_starts_full(structure):
    layer = MaskedEmbedding(3, 4, structure)
    np.testing.assert_array_equal(layer(IDS), layer.embeddings.numpy()[IDS])


def test_prefix_shows_the_first_coordinates():
    layer = MaskedEmbedding(3, 4, embeddings_initializer="ones")
    layer.assign_sizes(np.array([0, 2, 4]))
    expected = [[0, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]]
    np.testing.assert_array_equal(layer(np.array([0, 1, 2])), expected)
    np.testing.assert_array_equal(layer.values(), expected)


def test_mask_shows_any_coordinates():
    layer = MaskedEmbedding(3, 4, "mask", embeddings_initializer="ones")
    layer.assign_mask(MASK)
    np.testing.assert_array_equal(layer(np.array([0, 1, 2])), MASK)
    np.testing.assert_array_equal(layer.values(), MASK)


def test_sizes_change_without_tracing_anew():
    layer = MaskedEmbedding(3, 4, embeddings_initializer="ones")
    traces = []

    @tf.function
    def call(ids):
        traces.append(1)
        return layer(ids)

    for size in (4, 1, 3):
        layer.assign_sizes(np.full(3, size))
        assert call(tf.constant([1])).numpy().sum() == size
    assert len(traces) == 1


def test_hidden_entries_get_no_gradient():
    layer = MaskedEmbedding(3, 4)
    layer.assign_sizes([1, 2, 3])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(np.array([0, 1, 2])))
    gradient = tape.gradient(loss, layer.embeddings.value)
    shown = np.arange(4) < np.array([1, 2, 3])[:, None]
    np.testing.assert_array_equal(tf.convert_to_tensor(gradient), shown)


@pytest.mark.parametrize("sizes", [[1, 2], [1, 2, 5], [-1, 2, 3], [0.5, 1, 1]])
def test_refuses_wrong_sizes(sizes):
    with pytest.raises(ValueError, match="`sizes` must be"):
        MaskedEmbedding(3, 4).assign_sizes(sizes)


@pytest.mark.parametrize("mask", [MASK[:2], np.full((3, 4), 2)])
def test_refuses_wrong_masks(mask):
    with pytest.raises(ValueError, match="`mask` must be"):
        MaskedEmbedding(3, 4, "mask").assign_mask(mask)


def test_refuses_what_is_not_of_its_structure():
    with pytest.raises(ValueError, match="structure 'prefix'"):
        MaskedEmbedding(3, 4).assign_mask(MASK)
    with pytest.raises(ValueError, match="structure 'mask'"):
        MaskedEmbedding(3, 4, "mask").assign_sizes([1, 1, 1])
    with pytest.raises(ValueError, match="`structure` must be"):
        MaskedEmbedding(3, 4, "rows")
