import keras
import numpy as np
import tensorflow as tf

from keras_emb.layers import UnitInterval
from keras_emb.optimizers import (
    BlockNormalizedSGD,
    deduplicate,
    normalize_blocks,
)


def test_blocks_are_divided_by_their_mean_size():
    gradient = np.random.default_rng(0).normal(size=(3, 5)).astype("float32")
    gradient[2] = 0
    expected = gradient / (np.abs(gradient).mean(1, keepdims=True) + 1e-8)
    np.testing.assert_allclose(normalize_blocks(gradient), expected, rtol=1e-5)


def test_a_step_moves_every_block_alike_and_stays_in_bounds():
    alpha = keras.Variable(np.full((2, 2), 0.5, "float32"))
    alpha.constraint = UnitInterval()
    optimizer = BlockNormalizedSGD(0.4)
    optimizer.build([alpha])
    optimizer.apply([tf.constant([[1e-6, -1e-6], [30.0, 90.0]])], [alpha])
    expected = [[0.1, 0.9], [0.3, 0.0]]
    np.testing.assert_allclose(alpha.numpy(), expected, atol=0.01)


def test_slices_count_as_their_sum():
    values = np.array([[1.0, 2.0], [3.0, 0.0], [1.0, -4.0]], "float32")
    slices = tf.IndexedSlices(
        tf.constant(values), tf.constant([1, 0, 1]), tf.constant([2, 2])
    )
    expected = normalize_blocks([[3.0, 0.0], [2.0, -2.0]])
    np.testing.assert_allclose(normalize_blocks(slices), expected)


def test_deduplicate_sums_repeated_rows():
    random = np.random.default_rng(0)
    ids = random.integers(0, 9, 40).astype("int32")
    values = random.normal(size=(40, 3)).astype("float32")
    found = deduplicate(
        tf.IndexedSlices(
            tf.constant(values), tf.constant(ids), tf.constant([9, 3])
        )
    )
    expected = np.zeros((9, 3), "float32")
    np.add.at(expected, ids, values)
    indices = found.indices.numpy()
    assert len(set(indices)) == len(indices)
    assert set(indices) == set(ids)
    np.testing.assert_allclose(
        found.values.numpy(), expected[indices], atol=1e-5
    )
