"""Neural graph collaborative filtering."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras

from keras_emb.layers import BipartiteGraph, GraphPropagation
from keras_emb.zoo.backbones.all_rows import all_rows
from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.pair_dot_product import PairDotProduct
from keras_emb.zoo.backbones.parts import user_item_inputs, user_item_tables
from keras_emb.zoo.backbones.squared_norms import squared_norms

__all__ = ["NGCF"]

_SLOPE = 0.2


@keras.saving.register_keras_serializable(package="keras_emb")
class NeighbourInteraction(keras.layers.Layer):
    """What a node becomes of its neighbours' mean and of itself.

    arXiv 1905.08108, Equation 7: `leaky(m W + b) + leaky((m * e) W' + b')`,
    then dropout.

    Args:
        units: Width of the result.
        rate: Share of it that is left out of a training step.
        **kwargs: Arguments of `keras.layers.Layer`.
    """

    def __init__(self, units: int, rate: float, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.units = units
        self.rate = rate
        policy = self.dtype_policy
        self.sum = keras.layers.Dense(units, dtype=policy, name="sum")
        self.product = keras.layers.Dense(units, dtype=policy, name="product")
        self.dropout = keras.layers.Dropout(rate, dtype=policy, name="dropout")

    def build(self, received_shape: Any, own_shape: Any) -> None:
        self.sum.build(received_shape)
        self.product.build(own_shape)
        self.built = True

    def call(self, received: Any, own: Any, training: bool = False) -> Any:
        result = keras.ops.leaky_relu(self.sum(received), _SLOPE)
        result += keras.ops.leaky_relu(self.product(received * own), _SLOPE)
        return self.dropout(result, training=training)

    def compute_output_shape(self, received_shape: Any, own_shape: Any) -> Any:
        return (*received_shape[:-1], self.units)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units, "rate": self.rate}


@keras.saving.register_keras_serializable(package="keras_emb")
class NGCF(Backbone):
    """Dot product of vectors that interact with their neighbours'.

    Wang et al., "Neural Graph Collaborative Filtering", SIGIR 2019,
    arXiv 1905.08108, Equation 7, with the reference code's normalisation
    `M = (D + I)^-1 (A + I)`: `E_{k+1} = leaky(M E_k W_k + b_k) + leaky((M E_k
    * E_k) W'_k + b'_k)`, dropout, rows scaled to length one; the layers are
    concatenated. No change of the tables' basis leaves it as it is.

    >>> import numpy as np
    >>> graph = BipartiteGraph.from_pairs([1, 1, 2], [1, 2, 3], 3, 4)
    >>> model = NGCF.from_graph(graph, embedding_dim=8)
    >>> ids = np.array([1, 2])
    >>> model({"user": ids, "item": ids}).shape
    TensorShape([2, 1])

    Args:
        tables: Table layers named `user` and `item`, of equal width.
        num_edges: Edges of the graph; `propagation.assign_graph` sets them.
        layer_units: Width of each layer.
        node_dropout: Share of edges left out of a step. An edge is left out
            in both directions.
        message_dropout: Share of a layer's outputs left out.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: `{"user", "item"}`, integer tensors of shape `(batch,)`.

    Output shape:
        `(batch, 1)`.

    Raises:
        ValueError: If a table is missing or the widths differ.
    """

    table_features: ClassVar[Mapping[str, str]] = {
        "user": "user",
        "item": "item",
    }

    def __init__(
        self,
        tables: Mapping[str, Any],
        num_edges: int,
        layer_units: Sequence[int] = (128, 128, 128),
        node_dropout: float = 0.1,
        message_dropout: float = 0.1,
        **kwargs: Any,
    ) -> None:
        self.check_tables(tables)
        self.check_equal_widths(tables, ("user", "item"))
        propagation = GraphPropagation(
            tables["user"].vocabulary_size,
            tables["item"].vocabulary_size,
            num_edges,
            len(layer_units),
            cells=[
                NeighbourInteraction(units, message_dropout)
                for units in layer_units
            ],
            normalization="mean",
            self_loops=True,
            edge_dropout=node_dropout,
            name="propagation",
        )
        inputs = user_item_inputs()
        ends = _concatenated(propagation(all_rows(tables, inputs)))
        score = PairDotProduct(dtype="float32", name="score")(
            [*ends, inputs["user"], inputs["item"]]
        )
        super().__init__(inputs, score, tables, **kwargs)
        self.propagation = propagation
        self.num_edges = num_edges
        self.layer_units = list(layer_units)
        self.node_dropout = node_dropout
        self.message_dropout = message_dropout
        self.regularized = squared_norms(ends, inputs)

    @classmethod
    def from_graph(
        cls,
        graph: BipartiteGraph,
        *,
        embedding_dim: int,
        embeddings_initializer: Any = "glorot_uniform",
        **kwargs: Any,
    ) -> Self:
        """A model of dense tables over a graph.

        Args:
            graph: Training interactions.
            embedding_dim: Width of both tables.
            embeddings_initializer: Of both tables.
            **kwargs: Further arguments of the constructor.
        """
        tables = user_item_tables(
            graph.num_users,
            graph.num_items,
            embedding_dim,
            initializer=embeddings_initializer,
        )
        kwargs.setdefault("layer_units", (embedding_dim,) * 3)
        model = cls(tables, graph.num_edges, **kwargs)
        model.propagation.assign_graph(graph)
        return model

    def encode(self) -> tuple[Any, Any]:
        """Vectors whose dot products are the scores."""
        return _concatenated(self.propagation(all_rows(self.tables)))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_edges": self.num_edges,
            "layer_units": self.layer_units,
            "node_dropout": self.node_dropout,
            "message_dropout": self.message_dropout,
        }


def _concatenated(layers: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """The vectors of all layers beside one another, users' and items'."""
    first, *others = layers
    scaled = [
        tuple(keras.ops.normalize(side, axis=-1) for side in layer)
        for layer in others
    ]
    users, items = zip(first, *scaled, strict=True)
    return (
        keras.ops.concatenate(users, axis=-1),
        keras.ops.concatenate(items, axis=-1),
    )
