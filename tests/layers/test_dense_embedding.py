import keras
import numpy as np
import pytest

from keras_emb.layers import DenseEmbedding, table_values
from tests.testing import run_layer_test

IDS = np.array([[0, 4], [2, 2], [1, 0]], "int32")


def test_layer():
    run_layer_test(
        lambda **kwargs: DenseEmbedding(5, 3, **kwargs),
        IDS,
        expected_shape=(3, 2, 3),
        table=lambda layer: layer.embeddings,
    )


def test_weight_is_there_before_the_first_call():
    assert DenseEmbedding(5, 3).embeddings.shape == (5, 3)


def test_returns_the_rows():
    layer = DenseEmbedding(5, 3)
    np.testing.assert_array_equal(layer(IDS), layer.embeddings.numpy()[IDS])
    np.testing.assert_array_equal(layer.values(), layer.embeddings.numpy())


def test_initializer_survives_the_config():
    layer = DenseEmbedding(5, 3, embeddings_initializer="ones")
    copy = DenseEmbedding.from_config(layer.get_config())
    np.testing.assert_array_equal(copy.values(), np.ones((5, 3)))


def test_from_table_takes_over_a_keras_embedding():
    old = keras.layers.Embedding(5, 3, name="word")
    old.build()
    new = DenseEmbedding.from_table(old)
    assert new.name == "word"
    np.testing.assert_array_equal(new.values(), table_values(old))


def test_from_table_refuses_to_lose_a_mask():
    old = keras.layers.Embedding(5, 3, mask_zero=True, name="word")
    old.build()
    with pytest.raises(ValueError, match="mask_zero=True.*'word'"):
        DenseEmbedding.from_table(old)


@pytest.mark.parametrize(
    "sizes", [(0, 3), (5, -1), (5, 2.5), (None, 3), ("5", 3)]
)
def test_refuses_sizes_that_are_no_positive_integers(sizes):
    with pytest.raises(ValueError, match="must be a positive integer"):
        DenseEmbedding(*sizes)
