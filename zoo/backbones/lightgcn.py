"""Light graph convolution."""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import keras

from keras_emb.layers import BipartiteGraph, GraphPropagation, SharedSpace
from keras_emb.zoo.backbones.all_rows import all_rows
from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.pair_dot_product import PairDotProduct
from keras_emb.zoo.backbones.parts import user_item_inputs, user_item_tables
from keras_emb.zoo.backbones.squared_norms import squared_norms

__all__ = ["LightGCN"]


@keras.saving.register_keras_serializable(package="keras_emb")
class LightGCN(Backbone):
    """Dot product of vectors averaged over a user-item graph.

    He et al., "LightGCN: Simplifying and Powering Graph Convolution Network
    for Recommendation", SIGIR 2020, arXiv 2002.02126, Equations 3 to 5:
    `E_{k+1} = D^-1/2 A D^-1/2 E_k`, the mean of `E_0 .. E_K`, dot product.
    The graph is a weight of the model, saved with it.

    >>> import numpy as np
    >>> graph = BipartiteGraph.from_pairs([1, 1, 2], [1, 2, 3], 3, 4)
    >>> model = LightGCN.from_graph(graph, embedding_dim=8)
    >>> ids = np.array([1, 2])
    >>> model({"user": ids, "item": ids}).shape
    TensorShape([2, 1])

    Args:
        tables: Table layers named `user` and `item`, of equal width.
        num_edges: Edges of the graph; `propagation.assign_graph` sets them.
        num_layers: Steps of propagation.
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
    any_width: ClassVar[bool] = True

    def __init__(
        self,
        tables: Mapping[str, Any],
        num_edges: int,
        num_layers: int = 3,
        **kwargs: Any,
    ) -> None:
        self.check_tables(tables)
        self.check_equal_widths(tables, ("user", "item"))
        propagation = GraphPropagation(
            tables["user"].vocabulary_size,
            tables["item"].vocabulary_size,
            num_edges,
            num_layers,
            name="propagation",
        )
        inputs = user_item_inputs()
        start = all_rows(tables, inputs)
        users, items = _averages(propagation(start))
        score = PairDotProduct(dtype="float32", name="score")(
            [users, items, inputs["user"], inputs["item"]]
        )
        super().__init__(inputs, score, tables, **kwargs)
        self.propagation = propagation
        self.num_edges = num_edges
        self.num_layers = num_layers
        self.regularized = squared_norms(start, inputs)

    @classmethod
    def from_graph(
        cls,
        graph: BipartiteGraph,
        *,
        embedding_dim: int,
        embeddings_initializer: Any = None,
        **kwargs: Any,
    ) -> Self:
        """A model of dense tables over a graph.

        Args:
            graph: Training interactions.
            embedding_dim: Width of both tables.
            embeddings_initializer: Of both tables; by default a normal
                distribution of spread 0.01, as in LightGCN's code.
            **kwargs: Further arguments of the constructor.
        """
        tables = user_item_tables(
            graph.num_users,
            graph.num_items,
            embedding_dim,
            initializer=embeddings_initializer
            or keras.initializers.RandomNormal(stddev=0.01),
        )
        model = cls(tables, graph.num_edges, **kwargs)
        model.propagation.assign_graph(graph)
        return model

    def encode(self) -> tuple[Any, Any]:
        """Vectors whose dot products are the scores."""
        return _averages(self.propagation(all_rows(self.tables)))

    def usages(self) -> list[Any]:
        return [SharedSpace(("user", "item"))]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_edges": self.num_edges,
            "num_layers": self.num_layers,
        }


def _averages(layers: Sequence[tuple[Any, Any]]) -> tuple[Any, Any]:
    """Means over the layers of all users' and of all items' vectors."""
    users, items = zip(*layers, strict=True)
    return tuple(sum(side[1:], side[0]) / len(side) for side in (users, items))
