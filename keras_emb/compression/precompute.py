"""Serving vectors that are computed once."""

from typing import Any

import keras
import numpy as np

from keras_emb.layers import DenseEmbedding

__all__ = ["precompute"]

_SIDES = ("user", "item")


def precompute(model: Any) -> keras.Model:
    """Makes a model that only looks up what a graph was propagated for.

    LightGCN (arXiv 2002.02126) and NGCF (arXiv 1905.08108) propagate the
    vectors of all nodes before the dot product of any pair. The vectors do
    not change while a model is served: here they stand in two dense tables,
    and neither graph nor propagation is left. The predictions stay those of
    the model. Coordinates that no row has, and that propagation along a graph
    leaves empty, are not stored. A compact model may be the smaller one for
    all that: its rows and graph against vectors is what `memory_report`
    compares.

    >>> import numpy as np
    >>> from keras_emb.layers import BipartiteGraph
    >>> from keras_emb.zoo import LightGCN
    >>> graph = BipartiteGraph.from_pairs([1, 1, 2], [1, 2, 3], 3, 4)
    >>> model = LightGCN.from_graph(graph, embedding_dim=8)
    >>> small = precompute(model)
    >>> ids = {"user": np.array([1, 2]), "item": np.array([3, 0])}
    >>> np.allclose(small(ids), model(ids), rtol=1e-5, atol=1e-9)
    True

    Args:
        model: A built model of users and items with `encode()`, which returns
            vectors of shapes `(users, dim)` and `(items, dim)` whose dot
            products are the scores.

    Returns:
        A functional model of `{"user", "item"}`, integers of shape
        `(batch,)`, to `(batch, 1)`, with the tables `user_vectors` and
        `item_vectors`.

    Raises:
        ValueError: If the model has no `encode`, or scores its codes
            otherwise.
    """
    if not hasattr(model, "encode") or not hasattr(model, "score_codes"):
        raise ValueError(
            "`model` must have the methods `encode` and `score_codes`, see "
            f"keras_emb.zoo.backbones.Backbone. Received: {model}"
        )
    users, items = model.encode()
    _check_dot_product(model, users, items)
    users, items = _live_columns(np.asarray(users), np.asarray(items))
    inputs = {
        name: keras.Input((), dtype="int32", name=name) for name in _SIDES
    }
    rows = []
    for name, codes in zip(_SIDES, (users, items), strict=True):
        table = DenseEmbedding(
            *codes.shape, name=f"{name}_vectors", dtype="float32"
        )
        table.embeddings.assign(codes)
        rows.append(table(inputs[name]))
    # Its name is that of the served output.
    score = keras.layers.Dot(
        axes=-1,
        name=model.outputs[0]._keras_history.operation.name,
        dtype="float32",
    )(rows)
    return keras.Model(inputs, score, name=f"{model.name}_precomputed")


def _live_columns(
    users: np.ndarray, items: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The columns that add something to a dot product; at least one."""
    live = np.flatnonzero(users.any(axis=0) & items.any(axis=0))
    if not live.size:
        live = np.zeros(1, np.int64)
    return users[:, live], items[:, live]


def _check_dot_product(model: Any, users: Any, items: Any) -> None:
    # The longest: rows of zeros would prove nothing.
    longest = np.argsort(-np.linalg.norm(users, axis=-1))[:4]
    some = np.asarray(users)[longest]
    scores = np.asarray(model.score_codes(some, items))
    products = some @ np.asarray(items).T
    if np.abs(scores - products).max() > 1e-4 * np.abs(scores).max():
        raise ValueError(
            "`model` must score by the dot product of what `encode` returns; "
            "its vectors cannot stand in two tables otherwise. Received: "
            f"model={model.name}, whose scores differ"
        )
