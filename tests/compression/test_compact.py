import keras
import numpy as np
import pytest

from keras_emb.compression import (
    SizeAssignment,
    compact,
    threshold_assignment,
)
from keras_emb.layers import (
    BipartiteGraph,
    DenseEmbedding,
    MaskedEmbedding,
    MixedDimensionEmbedding,
    SelectedEmbedding,
    SoftDimensionSelection,
    find_tables,
    replace_tables,
    table_values,
)
from keras_emb.zoo.backbones import (
    MLP,
    NGCF,
    LightGCN,
    MatrixFactorization,
    NeuMF,
)
from tests.layers import foreign_models
from tests.testing import save_and_load

USERS, ITEMS = 300, 120


def _backbone(kind, seed=0):
    keras.utils.set_random_seed(seed)
    if kind in (LightGCN, NGCF):
        graph = BipartiteGraph.from_pairs(*_ids().values(), USERS, ITEMS)
        model = kind.from_graph(graph, embedding_dim=20)
    else:
        model = kind.from_sizes(users=USERS, items=ITEMS, embedding_dim=20)
    rng = np.random.default_rng(seed)
    for weight in model.trainable_weights:
        # Tables fall off with popularity, so that sizes differ by row.
        values = rng.normal(size=weight.shape)
        if len(weight.shape) == 2 and weight.shape[0] in (USERS, ITEMS):
            values /= 1 + rng.permutation(len(values))[:, None] / 20
        weight.assign(values)
    return model


def _tables(model):
    return {
        name: table_values(table) for name, table in find_tables(model).items()
    }


def _masked(model, assignment):
    def make(name, table):
        masked = MaskedEmbedding.from_table(table, structure="mask")
        masked.assign_mask(assignment.mask(name))
        return masked

    return replace_tables(model, make)


def _ids(seed=0, users=USERS, items=ITEMS):
    rng = np.random.default_rng(seed)
    return {
        "user": np.append(rng.integers(0, users, 200), [0, users - 1]),
        "item": np.append(rng.integers(0, items, 200), [0, items - 1]),
    }


def _renumbered(ids, report):
    return {
        feature: np.argsort(report.feature_orders[feature])[rows]
        if feature in report.feature_orders
        else rows
        for feature, rows in ids.items()
    }


def _assert_same(actual, expected):
    scale = np.abs(expected).max()
    np.testing.assert_allclose(actual, expected, rtol=0, atol=1e-6 * scale)


def _stored(model):
    return sum(weight.numpy().nbytes for weight in model.weights)


@pytest.mark.parametrize("row_order", ["keep", "fold"])
@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("share", [0.5, 0.2, 0.1, 0.05])
@pytest.mark.parametrize("kind", [MatrixFactorization, MLP, NeuMF])
def test_predicts_what_the_masked_model_does(kind, share, structure, row_order):
    model = _backbone(kind)
    assignment = threshold_assignment(_tables(model), share, structure)
    masked = _masked(model, assignment)
    small, report = compact(masked, assignment, row_order=row_order)
    ids = _ids()
    expected = np.asarray(masked(ids))
    _assert_same(small(_renumbered(ids, report)), expected)
    assert report.after.total == _stored(small)
    assert report.before.total == _stored(masked)
    tables = report.after.values + report.after.index
    assert report.after.values == 4 * assignment.num_parameters
    if row_order == "keep":
        assert tables == assignment.memory_bytes()
    else:
        assert tables <= assignment.memory_bytes()


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", [LightGCN, NGCF])
def test_graph_models_predict_what_the_masked_ones_do(kind, structure):
    model = _backbone(kind)
    assignment = threshold_assignment(_tables(model), 0.2, structure)
    masked = _masked(model, assignment)
    small, report = compact(masked, assignment)
    assert type(small) is kind
    expected = np.asarray(masked(_ids()))
    assert not np.allclose(expected, model(_ids()))
    _assert_same(small(_ids()), expected)
    _assert_same(save_and_load(small)(_ids()), expected)
    assert report.after.total == _stored(small)
    assert report.after.values == 4 * assignment.num_parameters
    # The graph's nodes are rows of the tables: they keep their numbers.
    with pytest.raises(ValueError, match="'fold'.*use 'keep'"):
        compact(masked, assignment, row_order="fold")


def test_takes_dense_tables_too_and_leaves_the_model_alone():
    model = _backbone(MatrixFactorization)
    before = [weight.numpy() for weight in model.weights]
    assignment = threshold_assignment(_tables(model), 0.2, "prefix")
    small, _ = compact(model, assignment)
    expected = np.asarray(_masked(model, assignment)(_ids()))
    _assert_same(small(_ids()), expected)
    assert type(small) is MatrixFactorization
    for weight, value in zip(model.weights, before, strict=True):
        np.testing.assert_array_equal(weight, value)


def test_takes_selected_tables():
    model = _backbone(MatrixFactorization)
    selection = SoftDimensionSelection(2, 20)
    selection.alpha.assign(np.random.default_rng(0).random((2, 20)))
    selected = replace_tables(
        model,
        lambda name, table: SelectedEmbedding(
            DenseEmbedding.from_table(table),
            selection,
            np.arange(table.vocabulary_size) % 2,
            name=table.name,
        ),
    )
    full = SizeAssignment.uniform(
        {"user": (USERS, 20), "item": (ITEMS, 20)}, 20
    )
    small, report = compact(selected, full)
    _assert_same(small(_ids()), np.asarray(selected(_ids())))
    assert report.before.total == _stored(selected)


@pytest.mark.parametrize("row_order", ["keep", "fold"])
@pytest.mark.parametrize("size", [0, 3, 20])
def test_uniform_sizes_need_no_index_per_row(size, row_order):
    model = _backbone(NeuMF)
    shapes = {name: table.shape for name, table in _tables(model).items()}
    assignment = SizeAssignment.uniform(shapes, size)
    small, report = compact(model, assignment, row_order=row_order)
    assert report.after.index == 4 * (24 + 4)
    for order in report.row_orders.values():
        np.testing.assert_array_equal(order, np.arange(len(order)))
    expected = np.asarray(_masked(model, assignment)(_ids()))
    np.testing.assert_allclose(small(_ids()), expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("row_order", ["keep", "fold"])
def test_rows_of_zeros_and_rows_cut_whole(row_order):
    model = _backbone(MatrixFactorization)
    model.tables["user"].embeddings.assign(
        model.tables["user"].embeddings.numpy()
        * (np.arange(USERS) % 3 > 0)[:, None]
    )
    sizes = {
        "user": np.arange(USERS) % 21,
        "item": np.where(np.arange(ITEMS) == ITEMS - 1, 20, 0),
    }
    assignment = SizeAssignment.from_sizes(sizes, 20)
    small, report = compact(model, assignment, row_order=row_order)
    expected = np.asarray(_masked(model, assignment)(_ids()))
    _assert_same(small(_renumbered(_ids(), report)), expected)


def test_fold_stores_almost_no_index():
    model = MatrixFactorization.from_sizes(
        users=3000, items=2000, embedding_dim=20
    )
    assignment = threshold_assignment(_tables(model), 0.1, "prefix")
    _, kept = compact(model, assignment)
    small, folded = compact(model, assignment, row_order="fold")
    assert not kept.row_orders
    assert not kept.feature_orders
    assert kept.after.index > 5000
    assert folded.after.index < 2 * 22 * 24
    assert set(folded.row_orders) == {"user", "item"}
    for name, order in folded.row_orders.items():
        assert order[0] == 0
        assert sorted(order) == list(range(len(order)))
        np.testing.assert_array_equal(
            small.tables[name].values(),
            (_tables(model)[name] * assignment.mask(name))[order],
        )


def test_fold_shares_the_order_of_a_feature():
    model = _backbone(NeuMF)
    assignment = threshold_assignment(_tables(model), 0.1, "prefix")
    _, report = compact(model, assignment, row_order="fold")
    for feature in ("user", "item"):
        for part in ("gmf", "mlp"):
            np.testing.assert_array_equal(
                report.row_orders[f"{feature}_{part}"],
                report.feature_orders[feature],
            )


def test_tables_without_an_entry_stay_and_follow_the_fold():
    model = _backbone(NeuMF)
    sizes = {"user_mlp": np.random.default_rng(0).integers(0, 17, USERS)}
    assignment = SizeAssignment.from_sizes(sizes, 16)
    expected, _ = compact(model, assignment)
    small, report = compact(model, assignment, row_order="fold")
    assert isinstance(small.tables["user_mlp"], MixedDimensionEmbedding)
    assert isinstance(small.tables["user_gmf"], DenseEmbedding)
    assert list(report.feature_orders) == ["user"]
    assert list(report.row_orders) == ["user_mlp"]
    _assert_same(
        small(_renumbered(_ids(), report)), np.asarray(expected(_ids()))
    )


def test_survives_saving():
    model = _backbone(NeuMF)
    for structure in ("prefix", "mask"):
        assignment = threshold_assignment(_tables(model), 0.1, structure)
        small, _ = compact(model, assignment)
        loaded = save_and_load(small)
        np.testing.assert_array_equal(loaded(_ids()), small(_ids()))


@pytest.mark.parametrize("row_order", ["keep", "fold"])
@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize(
    "make", [foreign_models.functional, foreign_models.nested]
)
def test_takes_models_of_others(make, structure, row_order):
    model = make()
    ids = foreign_models.IDS
    assignment = threshold_assignment(_tables(model), 0.5, structure)
    small, report = compact(model, assignment, row_order=row_order)
    expected = np.asarray(_masked(model, assignment)(ids))
    np.testing.assert_allclose(
        small(_renumbered(ids, report)), expected, rtol=1e-5, atol=1e-6
    )
    assert report.after.total == _stored(small)


def test_keeps_the_order_of_models_it_cannot_see_through():
    model = foreign_models.subclassed()
    assignment = threshold_assignment(_tables(model), 0.5, "prefix")
    small, _ = compact(model, assignment)
    expected = np.asarray(_masked(model, assignment)(foreign_models.IDS))
    np.testing.assert_allclose(
        small(foreign_models.IDS), expected, rtol=1e-5, atol=1e-6
    )
    with pytest.raises(ValueError, match="needs a functional model"):
        compact(model, assignment, row_order="fold")


def test_fold_refuses_ids_that_are_used_otherwise():
    ids = keras.Input((), dtype="int32", name="ids")
    rows = keras.layers.Embedding(5, 1, name="table")(ids)
    scaled = keras.layers.Reshape((1,))(keras.layers.Rescaling(0.1)(ids))
    model = keras.Model(ids, keras.layers.Add()([rows, scaled]))
    assignment = SizeAssignment.uniform({"table": (5, 1)}, 1)
    compact(model, assignment)
    with pytest.raises(ValueError, match="something else than its own"):
        compact(model, assignment, row_order="fold")


def test_fold_refuses_a_table_of_two_features():
    model = foreign_models.twice_shared()
    assignment = SizeAssignment.uniform({"word": (5, 4)}, 2)
    compact(model, assignment)
    with pytest.raises(ValueError, match="each fed with one input"):
        compact(model, assignment, row_order="fold")


def test_fold_refuses_tables_of_unequal_length():
    ids = keras.Input((), dtype="int32", name="ids")
    rows = [
        keras.layers.Embedding(size, 2, name=f"table_{size}")(ids)
        for size in (5, 6)
    ]
    model = keras.Model(ids, keras.layers.Add()(rows))
    assignment = SizeAssignment.uniform({"table_5": (5, 2)}, 1)
    with pytest.raises(ValueError, match="same number of rows"):
        compact(model, assignment, row_order="fold")


def test_refuses_what_does_not_fit():
    model = _backbone(MatrixFactorization)
    uniform = SizeAssignment.uniform
    with pytest.raises(ValueError, match="`row_order` must be"):
        compact(model, uniform({"user": (USERS, 20)}, 2), row_order="sort")
    with pytest.raises(ValueError, match="`assignment` must name tables"):
        compact(model, uniform({"word": (USERS, 20)}, 2))
    with pytest.raises(ValueError, match="`assignment` must fit"):
        compact(model, uniform({"user": (USERS, 10)}, 2))
    masking = keras.Sequential(
        [
            keras.Input((3,), dtype="int32"),
            keras.layers.Embedding(5, 2, mask_zero=True, name="word"),
        ]
    )
    with pytest.raises(ValueError, match="mask_zero=True"):
        compact(masking, uniform({"word": (5, 2)}, 1))
