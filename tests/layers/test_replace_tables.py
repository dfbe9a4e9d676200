import keras
import numpy as np
import pytest

from keras_emb.layers import (
    DenseEmbedding,
    MaskedEmbedding,
    SelectedEmbedding,
    SoftDimensionSelection,
    find_tables,
    replace_tables,
)
from keras_emb.zoo import MLP, MatrixFactorization, NeuMF
from tests.layers import foreign_models

FOREIGN = {
    "functional": foreign_models.functional,
    "nested": foreign_models.nested,
    "twice shared": foreign_models.twice_shared,
    "subclassed": foreign_models.subclassed,
    "sequential": foreign_models.sequential,
}
BACKBONES = {
    cls.__name__: lambda cls=cls: cls.from_sizes(
        users=5, items=3, embedding_dim=10
    )
    for cls in (MatrixFactorization, MLP, NeuMF)
}
MODELS = {**FOREIGN, **BACKBONES}


def inputs_of(model):
    ids = foreign_models.IDS
    if isinstance(model, keras.Sequential):
        return ids["item"]
    if model.name == "foreign":
        return {**ids, "user": ids["user"][:, None]}
    return ids


def to_dense(name, layer):
    return DenseEmbedding.from_table(layer)


@pytest.mark.parametrize("kind", MODELS)
def test_new_tables_give_the_same_predictions(kind):
    model = MODELS[kind]()
    inputs = inputs_of(model)
    new = replace_tables(model, to_dense)
    assert type(new) is type(model)
    assert all(type(t) is DenseEmbedding for t in find_tables(new).values())
    assert set(find_tables(new)) == set(find_tables(model))
    np.testing.assert_array_equal(new(inputs), model(inputs))


@pytest.mark.parametrize("kind", MODELS)
def test_kept_tables_are_copies(kind):
    model = MODELS[kind]()
    inputs = inputs_of(model)
    new = replace_tables(model, lambda name, layer: layer)
    np.testing.assert_array_equal(new(inputs), model(inputs))
    own = {id(variable) for variable in model.variables}
    assert own.isdisjoint(id(variable) for variable in new.variables)
    assert len(new.variables) == len(model.variables)


@pytest.mark.parametrize("kind", MODELS)
def test_the_original_is_untouched(kind):
    model = MODELS[kind]()
    inputs = inputs_of(model)
    before = np.asarray(model(inputs))
    tables = find_tables(model)
    new = replace_tables(model, to_dense)
    for variable in new.trainable_variables:
        variable.assign(variable + 1.0)
    np.testing.assert_array_equal(model(inputs), before)
    assert find_tables(model) == tables


@pytest.mark.parametrize("kind", MODELS)
def test_no_old_table_is_left_behind(kind):
    model = MODELS[kind]()
    new = replace_tables(
        model,
        lambda name, layer: MaskedEmbedding(
            getattr(layer, "input_dim", None) or layer.vocabulary_size,
            layer.output_dim,
            name=layer.name,
        ),
    )
    extra = len(new.variables) - len(model.variables)
    assert extra == len(find_tables(model))


def test_only_some_tables_can_be_replaced():
    model = foreign_models.subclassed()
    new = replace_tables(
        model,
        lambda name, layer: (
            to_dense(name, layer) if name == "hidden_table" else layer
        ),
    )
    kinds = {name: type(t).__name__ for name, t in find_tables(new).items()}
    assert kinds == {
        "hidden_table": "DenseEmbedding",
        "listed_table": "Embedding",
        "named_table": "Embedding",
        "inner_table": "Embedding",
    }
    assert new.named["again"] is new._hidden
    np.testing.assert_array_equal(
        new(foreign_models.IDS), model(foreign_models.IDS)
    )


def test_a_model_trains_and_saves_after_the_exchange(tmp_path):
    model = replace_tables(foreign_models.functional(), to_dense)
    inputs = inputs_of(model)
    model.compile("sgd", "mse")
    model.fit(inputs, np.ones((4, 1)), verbose=0)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(inputs), model(inputs))


def test_a_shared_selection_stays_shared_in_a_copy():
    selection = SoftDimensionSelection(1, 10)
    model = replace_tables(
        BACKBONES["MatrixFactorization"](),
        lambda name, layer: SelectedEmbedding(
            DenseEmbedding(layer.vocabulary_size, 10),
            selection,
            np.zeros(layer.vocabulary_size, int),
            name=layer.name,
        ),
    )
    copy = replace_tables(model, lambda name, layer: layer)
    tables = copy.tables
    assert tables["user"].selection is tables["item"].selection
    assert tables["user"].selection is not selection


def test_statistics_and_frozen_layers_are_copied():
    model = foreign_models.nested()
    norm = model.get_layer("items").layers[1]
    norm.moving_mean.assign(np.array([1.0, 2.0, 3.0]))
    model.get_layer("tower").trainable = False
    new = replace_tables(model, lambda name, layer: layer)
    copy = new.get_layer("items").layers[1]
    np.testing.assert_array_equal(copy.moving_mean, norm.moving_mean)
    np.testing.assert_array_equal(
        new(foreign_models.IDS), model(foreign_models.IDS)
    )


def test_a_backbone_inside_a_model_is_replaced_too():
    backbone = BACKBONES["MatrixFactorization"]()
    inputs = {
        name: keras.Input((), dtype="int32", name=name)
        for name in ("user", "item")
    }
    outer = keras.Model(inputs, keras.layers.Dense(1)(backbone(inputs)))
    new = replace_tables(
        outer,
        lambda name, layer: MaskedEmbedding.from_table(layer),
    )
    assert all(type(t) is MaskedEmbedding for t in find_tables(new).values())
    np.testing.assert_array_equal(
        new(foreign_models.IDS), outer(foreign_models.IDS)
    )


def test_refuses_another_width():
    with pytest.raises(ValueError, match="same output width"):
        replace_tables(
            foreign_models.sequential(),
            lambda name, layer: DenseEmbedding(3, 7),
        )


def test_refuses_what_is_no_table():
    with pytest.raises(ValueError, match="must return a table layer"):
        replace_tables(
            foreign_models.sequential(),
            lambda name, layer: keras.layers.Dense(4),
        )


def test_refuses_a_model_that_is_not_built():
    model = keras.Sequential([keras.layers.Embedding(3, 4)])
    with pytest.raises(ValueError, match="must be built"):
        replace_tables(model, to_dense)


def test_a_model_of_plain_operations_keeps_its_predictions():
    ids = {n: keras.Input((), dtype="int32", name=n) for n in ("user", "item")}
    rows = [
        keras.layers.Embedding(6, 4, name=f"{n}_table")(ids[n] % 6) for n in ids
    ]
    outputs = keras.ops.sum(rows[0] * rows[1], axis=-1, keepdims=True)
    model = keras.Model(ids, outputs)
    copy = replace_tables(
        model, lambda name, table: DenseEmbedding.from_table(table)
    )
    inputs = {name: np.array([1, 8, 5]) for name in ids}
    np.testing.assert_allclose(copy(inputs), model(inputs), rtol=1e-6)
    assert all(
        isinstance(t, DenseEmbedding) for t in find_tables(copy).values()
    )
