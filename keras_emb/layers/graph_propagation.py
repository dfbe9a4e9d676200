"""Vectors that spread along the edges of a user-item graph."""

import numbers
from collections.abc import Sequence
from typing import Any, Literal, Self

import keras
import numpy as np
import tensorflow as tf
from tensorflow.python.ops.linalg.sparse import sparse_csr_matrix_ops

from keras_emb.layers.bipartite_graph import BipartiteGraph
from keras_emb.layers.sparse_product import sparse_product

__all__ = ["GraphPropagation"]


@keras.saving.register_keras_serializable(package="keras_emb")
class GraphPropagation(keras.layers.Layer):
    """Passes the vectors of all nodes on to their neighbours, step by step.

    The nodes are the users and items of a `BipartiteGraph` with adjacency A
    and degrees D. A step multiplies by

    - `"symmetric"`: `D^-1/2 A D^-1/2` (LightGCN, arXiv 2002.02126,
      Equation 3);
    - `"mean"`: `D^-1 A`, the mean of the neighbours (NGCF's reference code,
      with `self_loops`: A + I and its degrees instead).

    Like `keras.layers.RNN`, it may be given a cell for each step: what the
    neighbours send and what the node is go in, what the node becomes comes
    out. A is its own transpose between two scalings of rows, so the gradient
    of a step is the same sparse product. A node without neighbours receives
    zeros. The edges are non-trainable weights, saved with the model. It runs
    on CPU and GPU; XLA has no sparse product.

    >>> import numpy as np
    >>> graph = BipartiteGraph.from_pairs([0, 1], [0, 0], 2, 2)
    >>> layer = GraphPropagation.from_graph(
    ...     graph, num_steps=1, normalization="mean"
    ... )
    >>> _, (users, items) = layer((np.eye(2, 2), np.ones((2, 2))))
    >>> items.numpy().tolist()
    [[0.5, 0.5], [0.0, 0.0]]

    Args:
        num_users: Rows of the user table.
        num_items: Rows of the item table.
        num_edges: Number of edges.
        num_steps: Number of steps.
        cells: A layer for each step, called with what the neighbours send
            and what the nodes are, both of shape `(nodes, dim)`, users first.
        normalization: `"symmetric"` or `"mean"`.
        self_loops: Whether every node is its own neighbour too.
        edge_dropout: Share of the edges left out of a training step, in both
            directions; the others count for as much more.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        inputs: Vectors of all users and of all items, shapes
            `(num_users, dim)` and `(num_items, dim)`.
        training: Whether edges are dropped.

    Output shape:
        For the start and after each step, vectors of all users and of all
        items, shapes `(num_users, dim)` and `(num_items, dim)`.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        num_users: int,
        num_items: int,
        num_edges: int,
        num_steps: int = 3,
        cells: Sequence[Any] | None = None,
        normalization: Literal["symmetric", "mean"] = "symmetric",
        self_loops: bool = False,
        edge_dropout: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        for name, value in (
            ("num_users", num_users),
            ("num_items", num_items),
            ("num_edges", num_edges),
            ("num_steps", num_steps),
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
        if cells is not None and len(cells) != num_steps:
            raise ValueError(
                "`cells` must hold a layer for each step. Received: "
                f"{len(cells)} cells, num_steps={num_steps}"
            )
        if not 0 <= edge_dropout < 1:
            raise ValueError(
                "`edge_dropout` must be at least 0 and less than 1. "
                f"Received: edge_dropout={edge_dropout}"
            )
        self.num_users = int(num_users)
        self.num_items = int(num_items)
        self.num_edges = int(num_edges)
        self.num_steps = int(num_steps)
        self.cells = None if cells is None else list(cells)
        self.normalization = normalization
        self.self_loops = self_loops
        self.edge_dropout = edge_dropout
        self.supports_jit = False
        self.dropout = keras.layers.Dropout(edge_dropout, dtype="float32")
        self.user_degrees = self._index("user_degrees", self.num_users)
        self.items = self._index("items", self.num_edges)

    @classmethod
    def from_graph(cls, graph: BipartiteGraph, **kwargs: Any) -> Self:
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

    @property
    def graph_weights(self) -> list[Any]:
        """The weights that hold the edges, for reports on memory."""
        return [self.user_degrees, self.items]

    def build(self, input_shape: Any) -> None:
        nodes = (self.num_users + self.num_items, input_shape[0][-1])
        for cell in self.cells or ():
            if not cell.built:
                cell.build(nodes, nodes)
            nodes = cell.compute_output_shape(nodes, nodes)
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        users, items = (keras.ops.convert_to_tensor(x) for x in inputs)
        dtype = users.dtype
        # The sparse product knows no half precision.
        nodes = tf.cast(tf.concat([users, items], 0), tf.float32)
        matrices = self._matrices(training)
        before, after = self._scales()
        outputs = [nodes]
        for step in range(self.num_steps):
            scaled = nodes if before is None else nodes * before
            received = _neighbour_sums(matrices, scaled, self.num_users)
            if self.self_loops:
                received += scaled
            received *= after
            nodes = (
                received
                if self.cells is None
                else tf.cast(
                    self.cells[step](received, nodes, training=training),
                    tf.float32,
                )
            )
            outputs.append(nodes)
        return tuple(
            tuple(tf.split(tf.cast(nodes, dtype), self._parts))
            for nodes in outputs
        )

    def compute_output_spec(self, inputs: Any, training: Any = None) -> Any:
        width = inputs[0].shape[-1]
        widths = [width]
        for cell in self.cells or (None,) * self.num_steps:
            if cell is not None:
                shape = (sum(self._parts), widths[-1])
                width = cell.compute_output_shape(shape, shape)[-1]
            widths.append(width)
        return tuple(
            tuple(
                keras.KerasTensor((rows, width), dtype=self.compute_dtype)
                for rows in self._parts
            )
            for width in widths
        )

    @property
    def _parts(self) -> list[int]:
        return [self.num_users, self.num_items]

    def _scales(self) -> tuple[Any, Any]:
        """Factors of the nodes before and after the sums."""
        degrees = tf.concat(
            [
                tf.cast(self.user_degrees.value, tf.float32),
                tf.math.bincount(
                    self.items.value,
                    minlength=self.num_items,
                    maxlength=self.num_items,
                    dtype=tf.float32,
                ),
            ],
            axis=0,
        )
        if self.self_loops:
            degrees += 1
        if self.normalization == "mean":
            return None, tf.math.divide_no_nan(1.0, degrees)[:, None]
        scale = tf.math.divide_no_nan(1.0, tf.sqrt(degrees))[:, None]
        return scale, scale

    def _matrices(self, training: Any) -> tuple[Any, Any]:
        """The users-by-items matrix and its transpose."""
        # What `tf.repeat` would give, in a seventh of its time.
        ends = tf.cumsum(self.user_degrees.value)[:-1, None]
        changes = tf.tensor_scatter_nd_add(
            tf.zeros(self.num_edges + 1, tf.int32),
            ends,
            tf.ones(self.num_users - 1, tf.int32),
        )
        rows = tf.cast(tf.cumsum(changes)[:-1], tf.int64)
        factors = self.dropout(tf.ones(self.num_edges), training=training)
        matrix = sparse_csr_matrix_ops.sparse_tensor_to_csr_sparse_matrix(
            tf.stack([rows, tf.cast(self.items.value, tf.int64)], axis=1),
            factors,
            tf.constant(self._parts, tf.int64),
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
            "num_steps": self.num_steps,
            "cells": None
            if self.cells is None
            else [keras.saving.serialize_keras_object(c) for c in self.cells],
            "normalization": self.normalization,
            "self_loops": self.self_loops,
            "edge_dropout": self.edge_dropout,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        config = dict(config)
        if config.get("cells"):
            config["cells"] = [
                keras.saving.deserialize_keras_object(cell)
                for cell in config["cells"]
            ]
        return cls(**config)


def _neighbour_sums(
    matrices: tuple[Any, Any], nodes: Any, num_users: int
) -> Any:
    """For every node, the sum of its neighbours' vectors."""
    matrix, transpose = matrices

    @tf.custom_gradient
    def sums(nodes: Any) -> Any:
        users, items = nodes[:num_users], nodes[num_users:]
        received = tf.concat(
            [sparse_product(matrix, items), sparse_product(transpose, users)],
            axis=0,
        )
        # The whole adjacency is symmetric: its gradient is the same map.
        return received, sums

    return sums(nodes)
