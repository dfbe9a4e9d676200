"""Vectors that spread along the edges of a user-item graph."""

import numbers
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.ops.linalg.sparse import sparse_csr_matrix_ops

from keras_emb.layers.bipartite_graph import BipartiteGraph

__all__ = ["GraphPropagation"]


@keras.saving.register_keras_serializable(package="keras_emb")
class GraphPropagation(keras.layers.Layer):
    """Sums the vectors of every node's neighbours.

    One step of propagation over the users and items of a `BipartiteGraph`
    with adjacency A and degrees D:

    - `"symmetric"`: `D^-1/2 A D^-1/2 X` (LightGCN, arXiv 2002.02126,
      Equation 3);
    - `"mean"`: `D^-1 A X`, the mean of the neighbours (NGCF's reference
      code, which adds the node itself: see `self_loops`).

    Both are products with A between two scalings of rows, and A is its own
    transpose: the gradient is the same product with the scalings exchanged.
    A node without neighbours gets zeros. The edges are non-trainable weights,
    saved with the model. CPU and GPU; XLA has no sparse product.

    >>> import numpy as np
    >>> graph = BipartiteGraph.from_pairs([0, 1], [0, 0], 2, 2)
    >>> layer = GraphPropagation.from_graph(graph, normalization="mean")
    >>> users, items = layer((np.eye(2, 2), np.ones((2, 2))))
    >>> items.numpy().tolist()
    [[0.5, 0.5], [0.0, 0.0]]

    Args:
        num_users: Rows of the user table.
        num_items: Rows of the item table.
        num_edges: Number of edges.
        normalization: `"symmetric"` or `"mean"`.
        self_loops: Whether every node is its own neighbour too.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Vectors of all users and of all items, shapes
            `(num_users, dim)` and `(num_items, dim)`.
        keep: Factor of each edge, shape `(num_edges,)`: 0 for an edge that
            is dropped. All edges by default.

    Output shape:
        That of the inputs.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        num_edges: int,
        normalization: Literal["symmetric", "mean"] = "symmetric",
        self_loops: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (
            ("num_users", num_users),
            ("num_items", num_items),
            ("num_edges", num_edges),
        ):
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. "
                    f"Received: {name}={value}"
                )
        if normalization not in ("symmetric", "mean"):
            raise ValueError(
                "`normalization` must be 'symmetric' or 'mean'. "
                f"Received: normalization={normalization!r}"
            )
        self.num_users = int(num_users)
        self.num_items = int(num_items)
        self.num_edges = int(num_edges)
        self.normalization = normalization
        self.self_loops = self_loops
        self.supports_jit = False
        self.user_degrees = self._index("user_degrees", self.num_users)
        self.items = self._index("items", self.num_edges)
        self.built = True

    @classmethod
    def from_graph(
        cls, graph: BipartiteGraph, **kwargs: Any
    ) -> "GraphPropagation":
        """A layer that holds a graph.

        Args:
            graph: The edges.
            **kwargs: Further arguments of the constructor.
        """
        layer = cls(graph.num_users, graph.num_items, graph.num_edges, **kwargs)
        layer.assign_graph(graph)
        return layer

    def assign_graph(self, graph: BipartiteGraph) -> None:
        """Sets the edges.

        Args:
            graph: As many users, items and edges as the layer has.
        """
        own = (self.num_users, self.num_items, self.num_edges)
        given = (graph.num_users, graph.num_items, graph.num_edges)
        if own != given:
            raise ValueError(
                f"`graph` must have {own} users, items and edges. "
                f"Received: {given}"
            )
        self.user_degrees.assign(graph.user_degrees)
        self.items.assign(graph.items)

    @property
    def graph(self) -> BipartiteGraph:
        """The edges."""
        return BipartiteGraph(
            np.asarray(self.user_degrees.numpy()),
            np.asarray(self.items.numpy()),
            self.num_items,
        )

    def call(self, inputs: Any, keep: Any = None) -> Any:
        users, items = (keras.ops.convert_to_tensor(x) for x in inputs)
        dtype = users.dtype
        before, after = self._scales()
        # The sparse product knows no half precision.
        users, items = (tf.cast(x, tf.float32) for x in (users, items))
        sums = _neighbour_sums(
            self._matrices(keep), users * before[0], items * before[1]
        )
        if self.self_loops:
            sums = (sums[0] + users * before[0], sums[1] + items * before[1])
        return tuple(
            tf.cast(x * scale, dtype)
            for x, scale in zip(sums, after, strict=True)
        )

    def compute_output_spec(self, inputs: Any, keep: Any = None) -> Any:
        return tuple(
            keras.KerasTensor(x.shape, dtype=self.compute_dtype) for x in inputs
        )

    def _scales(self) -> tuple[list[Any], list[Any]]:
        """Factors of the rows before and after the sums, users and items."""
        degrees = [
            tf.cast(self.user_degrees.value, tf.float32),
            tf.math.bincount(
                self.items.value,
                minlength=self.num_items,
                maxlength=self.num_items,
                dtype=tf.float32,
            ),
        ]
        if self.self_loops:
            degrees = [degree + 1 for degree in degrees]
        power = 0.5 if self.normalization == "symmetric" else 1.0
        after = [
            tf.math.divide_no_nan(1.0, degree**power)[:, None]
            for degree in degrees
        ]
        ones = [tf.ones_like(scale) for scale in after]
        return (after if self.normalization == "symmetric" else ones), after

    def _matrices(self, keep: Any) -> tuple[Any, Any]:
        """The users-by-items matrix and its transpose."""
        rows = tf.repeat(
            tf.range(self.num_users, dtype=tf.int64), self.user_degrees.value
        )
        indices = tf.stack([rows, tf.cast(self.items.value, tf.int64)], axis=1)
        factors = tf.ones(self.num_edges) if keep is None else keep
        matrix = sparse_csr_matrix_ops.sparse_tensor_to_csr_sparse_matrix(
            indices,
            tf.cast(factors, tf.float32),
            tf.constant([self.num_users, self.num_items], tf.int64),
        )
        transpose = sparse_csr_matrix_ops.sparse_matrix_transpose(
            matrix, tf.float32
        )
        return matrix, transpose

    def _index(self, name: str, length: int) -> Any:
        return self.add_weight(
            shape=(length,),
            initializer="zeros",
            dtype="int32",
            trainable=False,
            autocast=False,
            name=name,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_users": self.num_users,
            "num_items": self.num_items,
            "num_edges": self.num_edges,
            "normalization": self.normalization,
            "self_loops": self.self_loops,
        }


def _neighbour_sums(
    matrices: tuple[Any, Any], users: Any, items: Any
) -> tuple[Any, Any]:
    """Sums over the items of each user, and over the users of each item."""

    @tf.custom_gradient
    def sums(users: Any, items: Any) -> Any:
        def gradient(of_users: Any, of_items: Any) -> Any:
            # The whole adjacency is symmetric, so this is the same map.
            return sums(of_users, of_items)

        matrix, transpose = matrices
        product = sparse_csr_matrix_ops.sparse_matrix_mat_mul
        result = (product(matrix, items), product(transpose, users))
        return result, gradient

    return sums(users, items)
