"""The model of an experiment, made to the measure of its data."""

from typing import Any, Literal

import keras

from keras_emb.datasets import Interactions
from keras_emb.datasets.click_rows import VALUE_SUFFIX
from keras_emb.experiments.configs import BackboneConfig
from keras_emb.layers import BipartiteGraph, table_features
from keras_emb.training import OBJECTIVES
from keras_emb.zoo.backbones import BACKBONES, Backbone, FieldBackbone

__all__ = ["build_backbone", "build_ranking_backbone", "row_order"]


def build_backbone(
    config: BackboneConfig, interactions: Interactions, task: str, seed: int
) -> Backbone:
    """Makes an untrained model with dense tables.

    Args:
        config: Which model.
        interactions: Says how many rows its tables need, and the mean that
            its output starts from.
        task: What is predicted, see `keras_emb.training.OBJECTIVES`.
        seed: Seed of the first weights.
    """
    keras.utils.set_random_seed(seed)
    kind = BACKBONES[config.name]
    return kind.from_sizes(
        **_sizes(kind, interactions),
        embedding_dim=config.embedding_dim,
        output_bias=OBJECTIVES[task].output_bias(interactions),
        **config.options,
    )


def build_ranking_backbone(
    config: BackboneConfig, interactions: Interactions, seed: int
) -> keras.Model:
    """Makes an untrained model that ranks the items of a user.

    Args:
        config: Which model.
        interactions: Says how many rows its tables need, and who is joined
            with what if it propagates over a graph.
        seed: Seed of the first weights.
    """
    keras.utils.set_random_seed(seed)
    kind = BACKBONES[config.name]
    options = {"embedding_dim": config.embedding_dim, **config.options}
    if hasattr(kind, "from_graph"):
        graph = BipartiteGraph.from_interactions(interactions)
        model: keras.Model = kind.from_graph(graph, **options)
        return model
    return kind.from_sizes(**_sizes(kind, interactions), **options)


def row_order(model: keras.Model) -> Literal["fold", "keep"]:
    """How `compact` can order the rows of a model's tables.

    Args:
        model: A model whose tables say which features they serve.
    """
    alone = all(isinstance(f, str) for f in table_features(model).values())
    return "fold" if alone else "keep"


def _sizes(kind: type[Backbone], interactions: Interactions) -> dict[str, Any]:
    rows = {name: len(v) for name, v in interactions.vocabularies.items()}
    if not issubclass(kind, FieldBackbone):
        return {"users": rows["user"], "items": rows["item"]}
    features = interactions.train.features
    return {
        "fields": rows,
        "multi_valued": {
            name: features[name].shape[1]
            for name in rows
            if features[name].ndim == 2
        },
        "numeric": [n for n in rows if f"{n}{VALUE_SUFFIX}" in features],
    }
