import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.compression import (
    SizeAssignment,
    compact,
    memory_report,
    precompute,
    threshold_assignment,
)
from keras_emb.layers import BipartiteGraph, find_tables, table_values
from keras_emb.serving import export_for_serving
from keras_emb.zoo import MLP, NGCF, LightGCN, MatrixFactorization, NeuMF
from tests.testing import save_and_load

USERS, ITEMS, WIDTH, EDGES = 700, 500, 64, 20_000


def graph():
    random = np.random.default_rng(0)
    return BipartiteGraph.from_pairs(
        random.integers(1, USERS, EDGES),
        random.integers(1, ITEMS, EDGES),
        USERS,
        ITEMS,
    )


def make(kind):
    keras.utils.set_random_seed(0)
    if kind in (LightGCN, NGCF):
        return kind.from_graph(
            graph(), embedding_dim=WIDTH, embeddings_initializer="glorot_normal"
        )
    if kind is NeuMF:
        return kind.from_sizes(users=USERS, items=ITEMS, embedding_dim=20)
    model = kind.from_sizes(users=USERS, items=ITEMS, embedding_dim=WIDTH)
    if kind is MatrixFactorization:
        # Biases that are all zero could be left out unnoticed.
        for name in ("user_bias", "item_bias"):
            biases = model.get_layer(name).embeddings
            biases.assign(np.random.normal(size=biases.shape))
    return model


def cut(model, structure="mask"):
    """The model cut to 5 % of its entries, ids as they were."""
    values = {n: table_values(t) for n, t in find_tables(model).items()}
    small, _ = compact(
        model, threshold_assignment(values, 0.05, structure), row_order="keep"
    )
    return small


def ids(count=200):
    random = np.random.default_rng(1)
    return {
        "user": random.integers(0, USERS, count).astype("int32"),
        "item": random.integers(0, ITEMS, count).astype("int32"),
    }


def assert_same(found, expected):
    expected = np.asarray(expected)
    scale = np.abs(expected).max()
    assert scale > 0
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5 * scale)


def serve(folder, inputs):
    signature = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return signature(**{k: tf.constant(v) for k, v in inputs.items()})


def disk_bytes(folder):
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


@pytest.mark.parametrize("compacted", [False, True])
@pytest.mark.parametrize("kind", [LightGCN, NGCF, MatrixFactorization])
def test_predicts_as_the_model(kind, compacted, tmp_path):
    model = cut(make(kind)) if compacted else make(kind)
    expected = model(ids())
    small = precompute(model)
    assert small(ids()).shape == (200, 1)
    assert small(ids()).dtype == "float32"
    assert_same(small(ids()), expected)
    assert_same(save_and_load(small)(ids()), expected)
    served = serve(export_for_serving(small, tmp_path), ids())
    assert list(served) == [model.layers[-1].name]
    assert_same(served[model.layers[-1].name], expected)


def test_needs_neither_graph_nor_layers():
    report = memory_report(precompute(make(NGCF)))
    assert set(report.tables) == {"user_vectors", "item_vectors"}
    assert report.total == report.values == (USERS + ITEMS) * 4 * WIDTH * 4
    assert report.graph == report.dense_layers == 0


def test_is_a_snapshot():
    model = make(LightGCN)
    small = precompute(model)
    before = small(ids()).numpy()
    model.tables["user"].embeddings.assign(np.ones((USERS, WIDTH)))
    np.testing.assert_array_equal(small(ids()), before)


@pytest.mark.parametrize("kind", [NeuMF, MLP])
def test_refuses_other_scores(kind):
    with pytest.raises(ValueError, match="`model` must"):
        precompute(make(kind))


@pytest.mark.parametrize("structure", ["prefix", "mask"])
def test_rows_and_graph_against_vectors(structure, tmp_path):
    model = make(LightGCN)
    small = cut(model, structure)
    compacted = memory_report(small)
    kept = round(0.05 * (USERS + ITEMS) * WIDTH)
    assert compacted.values == kept * 4
    assert compacted.graph == 4 * (USERS + graph().num_edges)
    assert compacted.dense_layers == 0
    assert compacted.total == (
        compacted.values + compacted.index + compacted.graph
    )
    assert compacted.as_dict()["graph"] == compacted.graph
    assert compacted.dense == memory_report(model).total

    precomputed = precompute(small)
    vectors = memory_report(precomputed)
    users, items = (np.asarray(codes) for codes in small.encode())
    live = users.any(axis=0) & items.any(axis=0)
    assert vectors.total == (USERS + ITEMS) * live.sum() * 4
    if structure == "prefix":
        # Coordinates that no row has are not stored.
        assert 1 <= live.sum() < WIDTH
    else:
        assert live.all()
        # What is saved on rows is not spent on this graph.
        assert 2 * compacted.total < vectors.total
    for report, exported in ((compacted, small), (vectors, precomputed)):
        folder = export_for_serving(exported, tmp_path / exported.name)
        excess = disk_bytes(folder) - report.total
        assert 0 < excess < 100_000


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", [LightGCN, NGCF, NeuMF])
def test_compact_ranking_models_are_saved_and_served(kind, structure, tmp_path):
    model = make(kind)
    small = cut(model, structure)
    expected = small(ids())
    loaded = save_and_load(small)
    np.testing.assert_array_equal(loaded(ids()), expected)
    assert memory_report(loaded).as_dict() == memory_report(small).as_dict()
    for number, exported in enumerate((small, loaded), start=1):
        folder = export_for_serving(exported, tmp_path, version=number)
        (served,) = serve(folder, ids()).values()
        assert_same(served, expected)
        (one,) = serve(folder, ids(1)).values()
        assert one.shape == (1, 1)


def test_the_graph_stands_in_the_report():
    model = make(NGCF)
    report = memory_report(model)
    assert report.graph == 4 * (USERS + graph().num_edges)
    assert report.dense_layers == 3 * 2 * (WIDTH * WIDTH + WIDTH) * 4
    stored = sum(weight.numpy().nbytes for weight in model.weights)
    assert report.total == report.dense == stored
    line = next(x for x in str(report).splitlines() if x.startswith("graph"))
    assert line.split()[1] == f"{report.graph:,}"
    uniform = SizeAssignment.uniform({"user": (USERS, WIDTH)}, 8)
    _, compaction = compact(model, uniform)
    assert compaction.after.graph == report.graph
