import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import (
    DenseEmbedding,
    MaskedEmbedding,
    ProjectedEmbedding,
    table_values,
)
from tests.testing import run_layer_test

IDS = np.array([3, 0, 3, 7], "int32")


def _make(dtype=None):
    keras.utils.set_random_seed(0)
    table = DenseEmbedding(9, 4, "random_normal", dtype=dtype)
    layer = ProjectedEmbedding(table, 6, dtype=dtype)
    layer.bias.assign(np.linspace(-1, 1, 6))
    return layer


def test_layer():
    run_layer_test(
        _make,
        IDS,
        expected_shape=(4, 6),
        table=lambda layer: layer.table.embeddings,
    )


def test_rows_are_mapped():
    layer = _make()
    rows = layer.table.embeddings.numpy()[IDS]
    expected = rows @ layer.kernel.numpy() + layer.bias.numpy()
    np.testing.assert_allclose(layer(IDS), expected, rtol=1e-5)
    np.testing.assert_allclose(table_values(layer)[IDS], expected, rtol=1e-5)
    assert layer.vocabulary_size == 9
    assert layer.output_dim == 6


def test_another_table_behind_the_same_map():
    layer = _make()
    masked = MaskedEmbedding.from_table(layer.table)
    copy = layer.with_table(masked)
    np.testing.assert_allclose(copy(IDS), layer(IDS), rtol=1e-6)
    copy.kernel.assign(copy.kernel * 2)
    assert not np.allclose(copy(IDS), layer(IDS))


def test_a_row_grows_and_answers_as_before():
    keras.utils.set_random_seed(0)
    table = MaskedEmbedding(5, 4, embeddings_initializer="random_normal")
    table.assign_sizes([1, 2, 3, 4, 0])
    before, stored = table(np.arange(5)).numpy(), table.embeddings.numpy()
    table.resize([0, 4], [3, 2])
    np.testing.assert_array_equal(table(np.arange(5)), before)
    np.testing.assert_array_equal(table.sizes.numpy(), [3, 2, 3, 4, 2])
    np.testing.assert_array_equal(table.embeddings.numpy()[1:4], stored[1:4])
    table.embeddings.assign(table.embeddings + 1.0)
    np.testing.assert_array_equal(
        (table(np.arange(5)).numpy() != 0).sum(axis=1), [3, 2, 3, 4, 2]
    )


def test_a_row_shrinks_and_forgets():
    keras.utils.set_random_seed(0)
    table = MaskedEmbedding(5, 4, embeddings_initializer="random_normal")
    table.assign_sizes([1, 2, 3, 4, 0])
    before = table(np.arange(5)).numpy()
    table.resize(np.array([3, 0]), np.array([2, 3]))
    expected = before.copy()
    expected[3, 2:] = 0.0
    np.testing.assert_array_equal(table(np.arange(5)), expected)
    # What was cut does not come back.
    table.resize([3], [4])
    np.testing.assert_array_equal(table(np.arange(5)), expected)
    table.resize([], [])
    np.testing.assert_array_equal(table.sizes.numpy(), [3, 2, 3, 4, 0])


def test_coordinates_that_grew_learn_through_the_map():
    layer = _make()
    masked = MaskedEmbedding.from_table(layer.table)
    masked.assign_sizes(np.full(9, 1))
    layer = layer.with_table(masked)
    masked.resize([3], [3])
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(np.array([3])) ** 2)
    gradient = tape.gradient(loss, masked.embeddings.value)
    found = tf.convert_to_tensor(gradient).numpy()[3]
    assert (found[:3] != 0).all()
    assert found[3] == 0


@pytest.mark.parametrize(
    ("ids", "sizes", "message"),
    [
        ([5], [4], "`ids` must be different rows in 0..4"),
        ([-1], [4], "`ids` must be different rows in 0..4"),
        ([1, 1], [3, 4], "`ids` must be different rows"),
        ([1], [-1], "`sizes` must be one integer a row"),
        ([1], [2.5], "`sizes` must be one integer a row"),
        ([1], [5], "`sizes` must be one integer a row"),
        ([1, 2], [4], "`sizes` must be one integer a row"),
    ],
)
def test_no_row_leaves_its_table(ids, sizes, message):
    table = MaskedEmbedding(5, 4)
    table.assign_sizes([1, 2, 3, 4, 0])
    before = table(np.arange(5)).numpy()
    with pytest.raises(ValueError, match=message):
        table.resize(ids, sizes)
    np.testing.assert_array_equal(table(np.arange(5)), before)
