import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import RowScope, gather_rows


def test_rows_stand_in_the_shape_of_the_ids():
    table = keras.Variable(np.arange(12.0).reshape(6, 2))
    ids = np.array([[5, 0], [0, 3]])
    np.testing.assert_array_equal(gather_rows(table, ids), table.numpy()[ids])


@pytest.mark.parametrize("ids", [[-1], [6]])
def test_unknown_ids_are_an_error_on_cpu(ids):
    table = keras.Variable(np.zeros((6, 2)))
    with pytest.raises(tf.errors.InvalidArgumentError):
        gather_rows(table, ids)


def test_follows_a_stateless_scope():
    table = keras.Variable(np.zeros((3, 2)))
    moved = tf.ones((3, 2))
    with keras.StatelessScope(state_mapping=[(table, moved)]):
        rows = gather_rows(table, [1])
    np.testing.assert_array_equal(rows, [[1.0, 1.0]])


def test_reads_the_moved_rows_of_a_scope():
    table = keras.Variable(np.zeros((4, 2)))
    move = tf.IndexedSlices(
        tf.constant([[3.0, 3.0], [1.0, 1.0]]), tf.constant([3, 1])
    )
    with RowScope([(table, move)]) as scope:
        rows = gather_rows(table, [0, 1, 3])
    assert scope.has_read(table)
    np.testing.assert_array_equal(rows[:, 0], [0.0, 1.0, 3.0])
