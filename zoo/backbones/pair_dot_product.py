"""Dot products of rows of whole tables."""

from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.ops.linalg.sparse import sparse_csr_matrix_ops

from keras_emb.layers.sparse_product import sparse_product

__all__ = ["PairDotProduct"]


@keras.saving.register_keras_serializable(package="keras_emb")
class PairDotProduct(keras.layers.Layer):
    """Dot products of some rows of one tensor with some of another.

    The gradient is not scattered pair by pair: it is the product of a sparse
    matrix that holds the pairs' gradients with the other side's rows.

    Call arguments:
        inputs: Tensors of shapes `(users, dim)` and `(items, dim)`, and ids
            into each, of shape `(batch,)`.

    Output shape:
        `(batch, 1)`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.supports_jit = False

    def call(self, inputs: Any) -> Any:
        users, items, user_ids, item_ids = inputs
        users, items = (tf.cast(x, tf.float32) for x in (users, items))
        dots = _pair_dots(users, items, user_ids, item_ids)
        return tf.cast(dots, self.compute_dtype)[:, None]

    def compute_output_spec(self, inputs: Any) -> keras.KerasTensor:
        return keras.KerasTensor((*inputs[2].shape, 1), self.compute_dtype)


def _pair_dots(users: Any, items: Any, user_ids: Any, item_ids: Any) -> Any:
    @tf.custom_gradient
    def dots(users: Any, items: Any) -> Any:
        products = tf.gather(users, user_ids) * tf.gather(items, item_ids)

        def gradient(outer: Any) -> tuple[Any, Any]:
            order = tf.argsort(user_ids)
            pairs = tf.stack([user_ids, item_ids], axis=1)
            shape = tf.stack([tf.shape(users)[0], tf.shape(items)[0]])
            matrix = sparse_csr_matrix_ops.sparse_tensor_to_csr_sparse_matrix(
                tf.cast(tf.gather(pairs, order), tf.int64),
                tf.gather(outer, order),
                tf.cast(shape, tf.int64),
            )
            transpose = sparse_csr_matrix_ops.sparse_matrix_transpose(
                matrix, tf.float32
            )
            return (
                sparse_product(matrix, items),
                sparse_product(transpose, users),
            )

        return tf.reduce_sum(products, axis=-1), gradient

    return dots(users, items)
