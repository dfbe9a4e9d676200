"""Neural graph collaborative filtering."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras

from keras_emb.layers import BipartiteGraph, GraphPropagation
from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.graph_parts import AllRows, TakeRows
from keras_emb.zoo.backbones.parts import user_item_inputs, user_item_tables

__all__ = ["NGCF"]

_SLOPE = 0.2


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
            normalization="mean",
            self_loops=True,
            name="propagation",
        )
        inputs = user_item_inputs()
        start = tuple(
            table(AllRows(table.vocabulary_size)(inputs[name]))
            for name, table in tables.items()
        )
        edges = AllRows(num_edges)(inputs["user"])
        keep = keras.layers.Dropout(node_dropout, name="node_dropout")(
            keras.ops.ones_like(edges, dtype="float32")
        )
        layers = [
            {
                "sum": keras.layers.Dense(units, name=f"sum_{number}"),
                "product": keras.layers.Dense(units, name=f"product_{number}"),
                "dropout": keras.layers.Dropout(
                    message_dropout, name=f"message_dropout_{number}"
                ),
            }
            for number, units in enumerate(layer_units)
        ]
        ends = _concatenated(propagation, layers, start, keep)
        rows = {
            name: TakeRows()([end, inputs[name]])
            for name, end in zip(tables, ends, strict=True)
        }
        score = keras.layers.Dot(axes=-1, dtype="float32", name="score")(
            [rows["user"], rows["item"]]
        )
        super().__init__(inputs, score, tables, **kwargs)
        self.propagation = propagation
        self.num_edges = num_edges
        self.layer_units = list(layer_units)
        self.node_dropout = node_dropout
        self.message_dropout = message_dropout
        self.regularized = rows

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
        start = tuple(
            table(keras.ops.arange(table.vocabulary_size))
            for table in (self.tables["user"], self.tables["item"])
        )
        layers = [
            {
                "sum": self.get_layer(f"sum_{number}"),
                "product": self.get_layer(f"product_{number}"),
                "dropout": self.get_layer(f"message_dropout_{number}"),
            }
            for number in range(len(self.layer_units))
        ]
        return _concatenated(self.propagation, layers, start, None)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_edges": self.num_edges,
            "layer_units": self.layer_units,
            "node_dropout": self.node_dropout,
            "message_dropout": self.message_dropout,
        }


def _concatenated(
    propagation: GraphPropagation,
    layers: Sequence[Mapping[str, Any]],
    start: tuple[Any, Any],
    keep: Any,
) -> tuple[Any, Any]:
    """The vectors of all layers beside one another, users' and items'."""
    current, outputs = start, [start]
    for layer in layers:
        means = propagation(current, keep=keep)
        current = tuple(
            layer["dropout"](
                _leaky(layer["sum"](mean))
                + _leaky(layer["product"](mean * own))
            )
            for mean, own in zip(means, current, strict=True)
        )
        outputs.append(tuple(keras.ops.normalize(x, axis=-1) for x in current))
    return tuple(
        keras.ops.concatenate(side, axis=-1)
        for side in zip(*outputs, strict=True)
    )


def _leaky(x: Any) -> Any:
    return keras.ops.leaky_relu(x, _SLOPE)
