"""The product of a sparse and a dense matrix."""

from typing import Any

import tensorflow as tf
from tensorflow.python.ops.linalg.sparse import sparse_csr_matrix_ops

__all__ = ["sparse_product"]

# Columns that a core takes at once; others make it several times slower.
_LANES = 8


def sparse_product(matrix: Any, dense: Any) -> Any:
    """Multiplies a CSR matrix and a dense one, of whatever width.

    On CPU half a million entries take longer with 25 columns than with 128,
    as 25 is no multiple of what a core takes at once. So columns of zeros are
    filled in, up to such a multiple, and cut off again.

    Args:
        matrix: CSR matrix, a variant tensor, of shape `(rows, columns)`.
        dense: Float tensor of shape `(columns, width)`.

    Returns:
        Float tensor of shape `(rows, width)`.
    """
    product = sparse_csr_matrix_ops.sparse_matrix_mat_mul
    width = dense.shape[-1]
    missing = -width % _LANES
    if not missing:
        return product(matrix, dense)
    padded = tf.pad(dense, [[0, 0], [0, missing]])
    return product(matrix, padded)[:, :width]
