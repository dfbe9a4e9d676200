import keras
import numpy as np
import pytest

from keras_emb.bilevel import BilevelModel
from keras_emb.datasets import Interactions, synthetic
from keras_emb.evaluation import Predictor
from keras_emb.layers import IntoDense, SelectedEmbedding, find_tables
from keras_emb.search import DNIS
from keras_emb.search.dnis import (
    add_selection,
    merge_selection,
    popularity_blocks,
)
from keras_emb.training import TrainingRecipe
from keras_emb.zoo import MLP, MatrixFactorization, NeuMF

RECIPE = TrainingRecipe(learning_rate=0.02, batch_size=256)


@pytest.fixture(scope="module")
def data():
    planted = synthetic(num_users=60, num_items=50, num_ratings=1400)
    return Interactions.from_ratings(planted.ratings, "random")


def make(backbone, data, dim=10):
    keras.utils.set_random_seed(0)
    return backbone.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=dim,
    )


def search(**changes):
    settings = {"num_blocks": 3, "warm_start_epochs": 2, "search_epochs": 2}
    return DNIS(0.3, recipe=RECIPE, **{**settings, **changes})


def foreign(data):
    keras.utils.set_random_seed(0)
    ids = {n: keras.Input((), dtype="int32", name=n) for n in ("user", "item")}
    rows = [
        keras.layers.Embedding(len(data.vocabularies[n]), 6, name=f"{n}_table")(
            ids[n]
        )
        for n in ids
    ]
    hidden = keras.layers.Dense(8, activation="relu", name="hidden")(
        keras.layers.Concatenate()(rows)
    )
    return keras.Model(ids, keras.layers.Dense(1)(hidden))


def test_blocks_against_a_sort():
    random = np.random.default_rng(0)
    counts = {"user": random.permutation(30), "item": random.permutation(30)}
    counts["item"] = counts["item"] + 0.5
    blocks = popularity_blocks(counts, num_blocks=4)
    both = np.concatenate([blocks["user"], blocks["item"]])
    ranks = np.argsort(np.argsort(-np.concatenate(list(counts.values()))))
    np.testing.assert_array_equal(both, ranks // 15)


def test_blocks_of_given_sizes():
    blocks = popularity_blocks({"a": np.array([1, 9, 5, 7])}, None, [1, 3])
    assert blocks["a"].tolist() == [1, 0, 1, 1]
    for sizes in ([1, 2], [4, 0], [5, -1]):
        with pytest.raises(ValueError, match="block_sizes"):
            popularity_blocks({"a": np.arange(4)}, None, sizes)
    with pytest.raises(ValueError, match="num_blocks"):
        popularity_blocks({"a": np.arange(4)}, 5)
    with pytest.raises(ValueError, match="exactly one"):
        popularity_blocks({"a": np.arange(4)})


@pytest.mark.parametrize("backbone", [MatrixFactorization, MLP, NeuMF])
def test_selection_goes_on_and_off(backbone, data):
    model = make(backbone, data)
    counts = {
        name: data.popularity[model.table_features[name]]
        for name in model.tables
    }
    selected = add_selection(model, popularity_blocks(counts, 3))
    predict = Predictor(model)(data.test.features)
    np.testing.assert_allclose(
        Predictor(selected)(data.test.features), predict, atol=1e-6
    )
    alphas = {id(t.selection): t.selection for t in selected.tables.values()}
    widths = {t.output_dim for t in model.tables.values()}
    assert len(alphas) == len(widths)
    random = np.random.default_rng(0)
    for selection in alphas.values():
        selection.alpha.assign(random.uniform(size=selection.alpha.shape))
    merged = merge_selection(selected)
    assert type(merged) is backbone
    found = Predictor(merged)(data.test.features)
    np.testing.assert_allclose(
        found, Predictor(selected)(data.test.features), atol=1e-5
    )
    assert np.abs(found - predict).max() > 1e-4


@pytest.mark.parametrize("backbone", [MatrixFactorization, MLP, NeuMF])
@pytest.mark.parametrize("aligned", [False, True])
def test_a_search_from_end_to_end(backbone, aligned, data):
    dnis = search(align=aligned)
    sizes = dnis.fit(make(backbone, data), data)
    assert sizes.structure == ("prefix" if aligned else "mask")
    for budget in (0.3, 0.1, 900):
        dnis.assign(budget).check(budget)
    for alpha in dnis.alpha.values():
        assert alpha.min() >= 0 and alpha.max() <= 1 and (alpha < 1).any()
    before = Predictor(dnis.merged)(data.test.features)
    after = Predictor(dnis.model)(data.test.features)
    np.testing.assert_allclose(after, before, rtol=1e-4, atol=1e-4)
    tables = zip(
        dnis.merged.tables.values(), dnis.model.tables.values(), strict=True
    )
    turned = any((a.values() != b.values()).any() for a, b in tables)
    assert turned == aligned
    assert [*dnis.trace] == ["warm_start", "search"]


def test_the_backbone_stays_as_it_is(data):
    model = make(MLP, data)
    before = model.get_weights()
    search().fit(model, data)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_only_the_tables_may_train(data):
    model = make(MLP, data)
    dnis = search(trainable="tables", align=False, warm_start_epochs=0)
    dnis.fit(model, data)
    kernel = model.get_layer("hidden_0").kernel.numpy()
    found = dnis.model.get_layer("hidden_0").kernel.numpy()
    np.testing.assert_array_equal(found, kernel)
    users = dnis.model.tables["user"].values()
    assert (users != model.tables["user"].values()).any()


@pytest.mark.parametrize("nested", [False, True])
def test_dense_layers_rest_in_the_search_only(data, nested):
    model = foreign(data)
    hidden = model.get_layer("hidden")
    if nested:
        ids = {
            n: keras.Input((), dtype="int32", name=n) for n in ("user", "item")
        }
        model = keras.Model(ids, keras.layers.Activation("linear")(model(ids)))
    dnis = search(trainable="tables", align=False, warm_start_epochs=0)
    dnis.fit(model, data)
    inner = next(
        layer
        for layer in dnis.model._flatten_layers()
        if layer.name == "hidden"
    )
    np.testing.assert_array_equal(inner.kernel.numpy(), hidden.kernel.numpy())
    tables, old = find_tables(dnis.model), find_tables(model)
    for name, table in tables.items():
        assert (table.values() != old[name].embeddings.numpy()).any()
    assert len(dnis.model.trainable_variables) == len(model.trainable_variables)


@pytest.mark.parametrize(
    "changes",
    [
        {"hypergradient": "unrolled"},
        {"normalize_gradient": False},
        {"l1": 1e-2},
        {"block_sizes": [20, 92]},
    ],
)
def test_settings_change_what_is_found(data, changes):
    plain, other = search(), search(**changes)
    for dnis in (plain, other):
        dnis.fit(make(MLP, data), data)
    alphas = [dnis.alpha[10] for dnis in (plain, other)]
    assert alphas[0].shape != alphas[1].shape or (alphas[0] != alphas[1]).any()


def test_the_penalty_lowers_the_selection(data):
    means = []
    for l1 in (0.0, 1.0):
        dnis = search(l1=l1)
        dnis.fit(make(MLP, data), data)
        means.append(dnis.alpha[10].mean())
    assert means[1] < means[0] - 0.005


def test_a_seed_decides_dropout_too(data):
    plain = foreign(data)
    dropped = keras.layers.Dropout(0.3)(plain.get_layer("hidden").output)
    model = keras.Model(plain.input, keras.layers.Dense(1)(dropped))
    found = []
    for _ in range(2):
        dnis = search()
        dnis.fit(model, data)
        found.append([e["mse"] for e in dnis.trace["search"].history])
    assert found[0] == found[1]


class Interrupted(Exception):
    pass


@pytest.mark.parametrize("stage", ["warm_start", "search"])
def test_an_interrupted_search_finds_the_same(data, tmp_path, stage):
    expected = search().fit(make(MLP, data), data)

    class Interrupt(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            searching = isinstance(self.model, BilevelModel)
            if (searching, epoch) == (stage == "search", 1):
                raise Interrupted

    arguments = {"checkpoint_dir": tmp_path, "checkpoint_seconds": 0.0}
    with pytest.raises(Interrupted):
        search().fit(
            make(MLP, data), data, callbacks=[Interrupt()], **arguments
        )
    found = search().fit(make(MLP, data), data, **arguments)
    for name in expected.tables:
        np.testing.assert_array_equal(found.sizes(name), expected.sizes(name))


def test_a_search_of_other_settings_is_not_taken_for_this_one(data, tmp_path):
    search().fit(make(MLP, data), data, checkpoint_dir=tmp_path)
    other = {"selection_learning_rate": 0.03}
    with pytest.raises(ValueError, match=rf"search\.npz.*{next(iter(other))}"):
        search(**other).fit(make(MLP, data), data, checkpoint_dir=tmp_path)


def test_a_strangers_model(data):
    usages = [
        IntoDense("user_table", "hidden"),
        IntoDense("item_table", "hidden", first_row=6),
    ]
    dnis = search(usages=usages)
    sizes = dnis.fit(foreign(data), data)
    assert set(sizes.tables) == {"user_table", "item_table"}
    np.testing.assert_allclose(
        Predictor(dnis.model)(data.test.features),
        Predictor(dnis.merged)(data.test.features),
        rtol=1e-4,
        atol=1e-4,
    )
    energy = (dnis.model.get_layer("user_table").values() ** 2).sum(axis=0)
    assert energy[:3].sum() > energy[3:].sum()
    assert not any(
        isinstance(t, SelectedEmbedding)
        for t in find_tables(dnis.model).values()
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"hypergradient": "second_order"},
        {"selection_learning_rate": 0.0},
        {"l1": -1.0},
        {"num_blocks": 0},
        {"block_sizes": [1, 2]},
    ],
)
def test_wrong_settings_are_refused_before_the_warm_start(data, wrong):
    stages = []
    told = keras.callbacks.LambdaCallback(
        on_train_begin=lambda logs: stages.append(logs)
    )
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}`"):
        search(**wrong).fit(make(MLP, data), data, callbacks=[told])
    assert not stages


def test_what_cannot_be_searched_is_refused(data):
    with pytest.raises(ValueError, match="trainable"):
        search(trainable="none")
    with pytest.raises(ValueError, match="structure"):
        search(structure="suffix")
    ids = keras.Input((), dtype="int32", name="user")
    model = keras.Model(ids, keras.layers.Embedding(9, 1)(ids))
    with pytest.raises(ValueError, match="wider than one"):
        search().fit(model, data)
    with pytest.raises(ValueError, match="features"):
        search(features={"user": "visitor"}).fit(
            make(MatrixFactorization, data), data
        )


def test_without_usages_rows_are_not_cut_to_a_prefix(data):
    found = search()
    assert found.fit(foreign(data), data).structure == "mask"
    found = search(structure="prefix")
    assert found.fit(foreign(data), data).structure == "prefix"
