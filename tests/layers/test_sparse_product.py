import numpy as np
import pytest
import scipy.sparse
import tensorflow as tf
from tensorflow.python.ops.linalg.sparse import sparse_csr_matrix_ops

from keras_emb.layers.sparse_product import sparse_product


@pytest.mark.parametrize("width", [1, 7, 8, 25])
@pytest.mark.parametrize("traced", [False, True])
def test_any_width_gives_the_product(width, traced):
    rng = np.random.default_rng(width)
    entries = scipy.sparse.random(9, 13, density=0.3, rng=rng).tocsr().tocoo()
    dense = rng.normal(size=(13, width)).astype("float32")

    def product(dense):
        matrix = sparse_csr_matrix_ops.sparse_tensor_to_csr_sparse_matrix(
            np.stack([entries.row, entries.col], axis=1).astype("int64"),
            entries.data.astype("float32"),
            np.array([9, 13]),
        )
        return sparse_product(matrix, dense)

    found = (tf.function(product) if traced else product)(tf.constant(dense))
    assert found.shape == (9, width)
    np.testing.assert_allclose(found, entries @ dense, rtol=1e-5, atol=1e-6)
