"""Small recommenders to export."""

import keras
import numpy as np

from keras_emb.compression import compact, threshold_assignment
from keras_emb.datasets import Vocabulary
from keras_emb.layers import (
    BipartiteGraph,
    MultiSizeEmbedding,
    PopularityController,
    SoftSizeEmbedding,
    find_tables,
    table_values,
)
from keras_emb.zoo.backbones import NGCF, DeepFM, LightGCN, StreamingDLRS

USERS, ITEMS, WIDTH = 40, 25, 10

# Strings that are not ASCII; numbers of more than 32 bits.
VOCABULARIES = {
    "user": Vocabulary([f"usér {row}" for row in range(1, USERS)]),
    "item": Vocabulary([2**40 + 7 * row for row in range(1, ITEMS)]),
}


def dense_recommender(kind):
    """A model with random tables, whose rows fall off."""
    keras.utils.set_random_seed(0)
    if kind in (LightGCN, NGCF):
        rng = np.random.default_rng(0)
        graph = BipartiteGraph.from_pairs(
            rng.integers(0, USERS, 200),
            rng.integers(0, ITEMS, 200),
            USERS,
            ITEMS,
        )
        model = kind.from_graph(graph, embedding_dim=WIDTH)
    else:
        model = kind.from_sizes(users=USERS, items=ITEMS, embedding_dim=WIDTH)
    for table in find_tables(model).values():
        fall = np.arange(1, table.vocabulary_size + 1)[:, None] ** -0.3
        table.embeddings.assign(table_values(table) * fall * 5)
    return model


def compact_recommender(kind, structure="prefix", keep=0.3, order="keep"):
    """The same, and only its largest entries."""
    model = dense_recommender(kind)
    tables = {n: table_values(t) for n, t in find_tables(model).items()}
    assignment = threshold_assignment(tables, keep, structure)
    return compact(model, assignment, row_order=order)[0]


def counting_recommender():
    """A model that mixes sizes by how often its ids were seen."""
    keras.utils.set_random_seed(0)
    tables = {
        name: SoftSizeEmbedding(
            MultiSizeEmbedding(rows, [2, 4], name=f"{name}_candidates"),
            PopularityController(2, hidden_units=4),
            name=f"{name}_table",
        )
        for name, rows in (("user", USERS), ("item", ITEMS))
    }
    model = StreamingDLRS(tables, hidden_units=8)
    for table in tables.values():
        kernel = table.controller.logits.kernel
        kernel.assign(np.random.default_rng(0).normal(size=kernel.shape))
    return model


def all_scores(model):
    """Scores of all pairs, `(USERS, ITEMS)`, asked pair by pair."""
    users, items = np.indices((USERS, ITEMS), "int32").reshape(2, -1)
    answers = model({"user": users, "item": items})
    return np.asarray(answers).reshape(USERS, ITEMS)


# Fields of clicks: one of several values, one with a number.
CLICK_VOCABULARIES = {
    "user": Vocabulary([1000 + row for row in range(1, USERS)]),
    "genres": Vocabulary(["Crime", "Drama", "Comédie"]),
    "price": Vocabulary(["known"]),
}


def click_model():
    """A model over fields, its tables in prefix form."""
    keras.utils.set_random_seed(0)
    model = DeepFM.from_sizes(
        fields={name: len(ids) for name, ids in CLICK_VOCABULARIES.items()},
        embedding_dim=4,
        hidden_units=(8,),
        multi_valued={"genres": 3},
        numeric=("price",),
    )
    for table in find_tables(model).values():
        table.embeddings.assign(table_values(table) * 20)
    tables = {n: table_values(t) for n, t in find_tables(model).items()}
    assignment = threshold_assignment(tables, 0.5, "prefix")
    return compact(model, assignment)[0]
