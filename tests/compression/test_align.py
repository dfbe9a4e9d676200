import keras
import numpy as np
import pytest
from keras import layers

from keras_emb.compression import align
from keras_emb.compression.rotations import (
    popularity_shares,
    second_moment,
)
from keras_emb.layers import (
    BipartiteGraph,
    DenseEmbedding,
    DotProduct,
    IntoDense,
    MaskedEmbedding,
    SelectedEmbedding,
    SharedSpace,
    SoftDimensionSelection,
    WeightedProduct,
    find_tables,
    replace_tables,
    table_values,
)
from keras_emb.zoo import (
    MLP,
    NGCF,
    Backbone,
    LightGCN,
    MatrixFactorization,
    NeuMF,
)

ROWS = {"user": 40, "item": 30}


def pairs(limit=None):
    users, items = np.meshgrid(*map(np.arange, ROWS.values()))
    users, items = users.ravel()[:limit], items.ravel()[:limit]
    return {"user": users.astype("int32"), "item": items.astype("int32")}


def popularity(seed=0):
    rng = np.random.default_rng(seed)
    return {
        name: np.sort(rng.zipf(1.4, rows) % 1000)[::-1]
        for name, rows in ROWS.items()
    }


def backbone(kind, seed=0):
    """A backbone whose weights are all away from their start."""
    keras.utils.set_random_seed(seed)
    rng = np.random.default_rng(seed)
    if kind in (LightGCN, NGCF):
        pairs = (rng.integers(0, rows, 100) for rows in ROWS.values())
        graph = BipartiteGraph.from_pairs(*pairs, *ROWS.values())
        model = kind.from_graph(graph, embedding_dim=10)
    else:
        model = kind.from_sizes(
            users=ROWS["user"], items=ROWS["item"], embedding_dim=10
        )
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


KINDS = [LightGCN, MatrixFactorization, MLP, NeuMF]


def assert_same_predictions(old, new, inputs):
    before, after = np.asarray(old(inputs)), np.asarray(new(inputs))
    scale = np.abs(before).max()
    np.testing.assert_allclose(after, before, rtol=1e-5, atol=1e-5 * scale)


def fill(case, table, rng):
    values = table_values(table).copy()
    if case == "zero rows":
        values[::3] = 0
    elif case == "zero table":
        values[:] = 0
    elif case == "rank deficient":
        values[:, 1:] = values[:, :1] * rng.normal(size=values.shape[1] - 1)
    elif case == "dead coordinate":
        values[:, 0] = 0
    elif case == "tiny":
        values *= 1e-12
    elif case == "huge scale difference":
        values *= 10.0 ** np.arange(values.shape[1])
    table.embeddings.assign(values)


CASES = [
    "plain",
    "zero rows",
    "zero table",
    "rank deficient",
    "dead coordinate",
    "tiny",
    "huge scale difference",
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("side", ["both", "one"])
def test_aligning_changes_no_prediction(kind, case, side):
    model = backbone(kind)
    rng = np.random.default_rng(5)
    for name, table in model.tables.items():
        if side == "both" or name.startswith("user"):
            fill(case, table, rng)
    aligned = align(model, popularity())
    assert type(aligned) is kind
    assert_same_predictions(model, aligned, pairs())
    for table in aligned.tables.values():
        assert np.isfinite(table_values(table)).all()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("count", ["none", "one row", "first rows"])
def test_rows_without_popularity_keep_their_predictions(kind, count):
    counts = popularity()
    for rows in counts.values():
        rows[{"none": 0, "one row": 1, "first rows": 4}[count] :] = 0
    model = backbone(kind)
    assert_same_predictions(model, align(model, counts), pairs())


@pytest.mark.parametrize("kind", [MatrixFactorization, MLP, NeuMF])
def test_tables_of_one_row(kind):
    # One prediction may be next to nothing by chance, its rounding not.
    keras.utils.set_random_seed(0)
    model = kind.from_sizes(users=1, items=1, embedding_dim=10)
    ids = {"user": np.zeros(1, "int32"), "item": np.zeros(1, "int32")}
    aligned = align(model, {"user": [7], "item": [7]})
    assert_same_predictions(model, aligned, ids)


@pytest.mark.parametrize("kind", KINDS)
def test_the_original_is_untouched(kind):
    model = backbone(kind)
    before = [v.numpy() for v in model.variables]
    aligned = align(model, popularity())
    for variable in aligned.trainable_variables:
        variable.assign(variable * 0)
    for variable, value in zip(model.variables, before, strict=True):
        np.testing.assert_array_equal(variable, value)


def test_factorization_is_balanced_and_cuts_best():
    model = backbone(MatrixFactorization)
    counts = popularity()
    aligned = align(model, counts)
    moments = [
        second_moment(
            table_values(aligned.tables[name]).astype("float64"),
            popularity_shares(counts[name]),
        )
        for name in ("user", "item")
    ]
    energies = np.diag(moments[0])
    assert (np.diff(energies) <= 1e-6).all()
    for moment in moments:
        np.testing.assert_allclose(
            moment, np.diag(energies), atol=1e-5 * energies[0]
        )


def test_neumf_folds_the_weights_of_its_product():
    model = align(backbone(NeuMF), popularity())
    kernel = model.get_layer("rating").kernel.numpy()
    np.testing.assert_array_equal(kernel[:2], np.ones((2, 1)))


def test_dense_layer_is_balanced_with_its_table():
    counts = popularity()
    model = align(backbone(MLP), counts)
    kernel = model.get_layer("hidden_0").kernel.numpy().astype("float64")
    for name, first in (("user", 0), ("item", 10)):
        rows = kernel[first : first + 10]
        values = table_values(model.tables[name]).astype("float64")
        moment = second_moment(values, popularity_shares(counts[name]))
        np.testing.assert_allclose(
            rows @ rows.T, moment, atol=1e-4 * moment.max()
        )


class Plain(Backbone):
    """Declares no use of its tables."""

    table_features = {"user": "user", "item": "item"}

    def __init__(self, tables, **kwargs):
        self.check_tables(tables)
        inputs = {
            name: keras.Input((), dtype="int32", name=name)
            for name in ("user", "item")
        }
        rows = [tables[name](inputs[name]) for name in inputs]
        hidden = layers.BatchNormalization()(layers.Multiply()(rows))
        super().__init__(inputs, layers.Dense(1)(hidden), tables, **kwargs)


def test_lightgcn_turns_both_tables_by_one_rotation():
    model, counts = backbone(LightGCN), popularity()
    aligned = align(model, counts)
    for name in ROWS:
        old, new = (table_values(m.tables[name]) for m in (model, aligned))
        np.testing.assert_allclose(new @ new.T, old @ old.T, atol=1e-4)
        assert not np.allclose(new, old)
    graph = aligned.propagation.graph
    np.testing.assert_array_equal(graph.items, model.propagation.graph.items)


def test_ngcf_comes_back_unchanged():
    model = backbone(NGCF)
    aligned = align(model, popularity())
    assert type(aligned) is NGCF
    assert_same_predictions(model, aligned, pairs())
    for old, new in zip(model.variables, aligned.variables, strict=True):
        assert old is not new
    for old, new in zip(model.weights, aligned.weights, strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_backbone_that_declares_nothing_comes_back_unchanged():
    tables = {
        name: DenseEmbedding(rows, 4, name=f"{name}_table")
        for name, rows in ROWS.items()
    }
    model = Plain(tables)
    aligned = align(model, popularity())
    assert aligned is not model
    np.testing.assert_array_equal(aligned(pairs(9)), model(pairs(9)))
    for old, new in zip(model.variables, aligned.variables, strict=True):
        assert old is not new
        np.testing.assert_array_equal(old, new)


def foreign_dot():
    user = keras.Input((), dtype="int32", name="user")
    item = keras.Input((), dtype="int32", name="item")
    rows = [
        layers.Embedding(40, 4, name="user_table")(user),
        layers.Embedding(30, 4, name="item_table")(item),
    ]
    return keras.Model(
        {"user": user, "item": item}, layers.Dot(-1)(rows), name="foreign"
    )


def test_a_foreign_model_is_left_alone_unless_it_says_how():
    model = foreign_dot()
    unchanged = align(model, popularity())
    for name, table in find_tables(unchanged).items():
        np.testing.assert_array_equal(
            table_values(table), table_values(find_tables(model)[name])
        )
    turned = align(
        model, popularity(), [DotProduct("user_table", "item_table")]
    )
    assert_same_predictions(model, turned, pairs())
    for name, table in find_tables(turned).items():
        assert type(table) is layers.Embedding
        assert not np.allclose(
            table_values(table), table_values(find_tables(model)[name])
        )


def shared_space_model():
    """Pairwise products and a dense part on the same tables (DeepFM)."""
    inputs = {name: keras.Input((), dtype="int32", name=name) for name in ROWS}
    rows = [
        DenseEmbedding(ROWS[name], 4, name=name + "_table")(inputs[name])
        for name in inputs
    ]
    hidden = layers.Concatenate()(rows)
    hidden = layers.Dense(3, "relu", name="deep")(hidden)
    deep = layers.Dense(1)(hidden)
    return keras.Model(inputs, layers.Add()([layers.Dot(-1)(rows), deep]))


def test_shared_space_with_a_dense_part_turns_by_one_rotation():
    model, counts = shared_space_model(), popularity()
    deep = model.get_layer("deep")
    aligned = align(
        model,
        counts,
        [
            SharedSpace(("user_table", "item_table")),
            IntoDense("user_table", deep),
            IntoDense("item_table", deep, 4),
        ],
    )
    assert_same_predictions(model, aligned, pairs())
    tables = find_tables(aligned)
    total = sum(
        second_moment(table_values(tables[f"{name}_table"]), counts[name])
        for name in ROWS
    )
    norms = [
        (np.linalg.norm(table_values(m), axis=1))
        for m in (tables["user_table"], find_tables(model)["user_table"])
    ]
    np.testing.assert_allclose(*norms, rtol=1e-5)
    # Not exactly diagonal: the tables' counts have different sums here.
    assert np.diag(total)[0] == np.diag(total).max()


def test_shared_space_alone_diagonalises_the_joint_moment():
    inputs = keras.Input((), dtype="int32", name="id")
    table = DenseEmbedding(40, 5, name="table")
    row = table(inputs)
    model = keras.Model(inputs, layers.Dot(-1)([row, row]))
    counts = popularity()["user"]
    aligned = align(model, {"id": counts}, [SharedSpace(("table",))])
    moment = second_moment(
        table_values(find_tables(aligned)["table"]).astype("float64"),
        popularity_shares(counts),
    )
    energies = np.diag(moment)
    assert (np.diff(energies) <= 0).all()
    np.testing.assert_allclose(
        moment, np.diag(energies), atol=1e-6 * energies[0]
    )
    ids = np.arange(40)
    assert_same_predictions(model, aligned, ids)


def test_a_table_into_two_dense_layers():
    ids = keras.Input((), dtype="int32", name="id")
    row = DenseEmbedding(40, 5, name="table")(ids)
    wide = layers.Dense(7, "relu", name="wide")
    thin = layers.Dense(2, "tanh", name="thin")
    model = keras.Model(ids, layers.Concatenate()([wide(row), thin(row)]))
    aligned = align(
        model,
        {"table": popularity()["user"]},
        [IntoDense("table", wide), IntoDense("table", thin)],
    )
    assert_same_predictions(model, aligned, np.arange(40))


@pytest.mark.parametrize("units", [1, 3])
def test_a_dense_layer_thinner_than_its_table(units):
    ids = keras.Input((), dtype="int32", name="id")
    dense = layers.Dense(units)
    row = DenseEmbedding(40, 5, name="table")(ids)
    model = keras.Model(ids, dense(row))
    aligned = align(
        model, {"id": popularity()["user"]}, [IntoDense("table", dense)]
    )
    assert_same_predictions(model, aligned, np.arange(40))
    cut = table_values(find_tables(aligned)["table"]).copy()
    cut[:, units:] = 0
    find_tables(aligned)["table"].embeddings.assign(cut)
    np.testing.assert_allclose(
        aligned(np.arange(40)), model(np.arange(40)), atol=1e-4
    )


def test_masks_and_selections_are_folded_in():
    model = backbone(MatrixFactorization)
    selection = SoftDimensionSelection(1, 10, init=0.5)

    def make(name, layer):
        if name == "user":
            masked = MaskedEmbedding.from_table(layer)
            masked.assign_sizes(np.arange(40) % 11)
            return masked
        return SelectedEmbedding(
            DenseEmbedding.from_table(layer),
            selection,
            np.zeros(30, int),
            name=layer.name,
        )

    model = replace_tables(model, make)
    aligned = align(model, popularity())
    assert all(type(t) is DenseEmbedding for t in aligned.tables.values())
    assert_same_predictions(model, aligned, pairs())


def test_popularity_may_be_given_by_table():
    model = backbone(MatrixFactorization)
    counts = popularity()
    by_feature = align(model, counts)
    by_table = align(
        foreign_like(model),
        {"user_table": counts["user"], "item_table": counts["item"]},
        [DotProduct("user_table", "item_table")],
    )
    np.testing.assert_allclose(
        table_values(by_feature.tables["user"]),
        table_values(find_tables(by_table)["user_table"]),
        rtol=1e-5,
        atol=1e-5,
    )


def foreign_like(model):
    foreign = foreign_dot_of_width(10)
    for name in ("user", "item"):
        find_tables(foreign)[f"{name}_table"].set_weights(
            model.tables[name].get_weights()
        )
    return foreign


def foreign_dot_of_width(width):
    inputs = {name: keras.Input((), dtype="int32", name=name) for name in ROWS}
    rows = [
        layers.Embedding(ROWS[name], width, name=f"{name}_table")(inputs[name])
        for name in inputs
    ]
    return keras.Model(inputs, layers.Dot(-1)(rows))


class TestErrors:
    def test_product_and_dense_layer_on_one_table(self):
        model = shared_space_model()
        with pytest.raises(ValueError, match="must not also go into a dense"):
            align(
                model,
                popularity(),
                [
                    DotProduct("user_table", "item_table"),
                    IntoDense("user_table", model.get_layer("deep")),
                ],
            )

    def test_two_products_on_one_table(self):
        with pytest.raises(ValueError, match="in one product or shared"):
            align(
                foreign_dot(),
                popularity(),
                [
                    DotProduct("user_table", "item_table"),
                    SharedSpace(("user_table",)),
                ],
            )

    def test_a_table_against_itself(self):
        with pytest.raises(ValueError, match="in one product or shared"):
            align(
                foreign_dot(),
                popularity(),
                [DotProduct("user_table", "user_table")],
            )

    def test_unknown_table(self):
        with pytest.raises(ValueError, match="must name tables of the model"):
            align(foreign_dot(), popularity(), [DotProduct("user", "item")])

    def test_unknown_usage(self):
        with pytest.raises(ValueError, match="`usages` must be"):
            align(foreign_dot(), popularity(), ["dot"])

    def test_rows_of_a_kernel_used_twice(self):
        model = shared_space_model()
        deep = model.get_layer("deep")
        usages = [IntoDense("user_table", deep), IntoDense("item_table", deep)]
        with pytest.raises(ValueError, match="must not share rows"):
            align(model, popularity(), usages)
        with pytest.raises(ValueError, match="must not share rows"):
            align(model, popularity(), usages[:1] * 2)

    @pytest.mark.parametrize("first_row", [-1, 5])
    def test_rows_beyond_a_kernel(self, first_row):
        model = shared_space_model()
        usage = IntoDense("user_table", model.get_layer("deep"), first_row)
        with pytest.raises(ValueError, match="kernel of 4 rows"):
            align(model, popularity(), [usage])

    def test_weights_of_more_than_one_unit(self):
        model = shared_space_model()
        usage = WeightedProduct(
            "user_table", "item_table", model.get_layer("deep")
        )
        with pytest.raises(ValueError, match="and one unit"):
            align(model, popularity(), [usage])

    @pytest.mark.parametrize(
        "counts", [np.ones(3), -np.ones(40), np.full(40, np.nan)]
    )
    def test_wrong_popularity(self, counts):
        model = backbone(MatrixFactorization)
        with pytest.raises(ValueError, match="must be 40 non-negative"):
            align(model, {**popularity(), "user": counts})

    def test_missing_popularity(self):
        model = backbone(MatrixFactorization)
        with pytest.raises(ValueError, match="nothing for table 'item'"):
            align(model, {"user": popularity()["user"]})

    def test_tables_that_are_not_finite(self):
        model = backbone(MatrixFactorization)
        model.tables["user"].embeddings.assign(np.full((40, 10), np.inf))
        with pytest.raises(ValueError, match="must be finite"):
            align(model, popularity())
