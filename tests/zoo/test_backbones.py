import keras
import numpy as np
import pytest

from keras_emb.layers import (
    DenseEmbedding,
    MaskedEmbedding,
    SelectedEmbedding,
    SoftDimensionSelection,
)
from keras_emb.zoo import (
    BACKBONES,
    MLP,
    MatrixFactorization,
    NeuMF,
    StreamingDLRS,
)
from tests.testing import run_model_test, save_and_load

IDS = {
    "user": np.array([0, 1, 2, 5, 5], "int32"),
    "item": np.array([3, 0, 3, 1, 2], "int32"),
}


def make(kind, **kwargs):
    keras.utils.set_random_seed(1)
    return kind.from_sizes(users=6, items=4, embedding_dim=10, **kwargs)


def relu(values):
    return np.maximum(values, 0)


def dense(layer, values):
    return values @ layer.kernel.numpy() + layer.bias.numpy()


def rows(model, name):
    ids = IDS[model.table_features[name]]
    return model.tables[name].embeddings.numpy()[ids]


@pytest.mark.parametrize("name", BACKBONES)
def test_backbone(name):
    run_model_test(make(BACKBONES[name]), IDS)


def test_registry():
    assert BACKBONES == {
        "matrix_factorization": MatrixFactorization,
        "mlp": MLP,
        "neumf": NeuMF,
        "streaming_dlrs": StreamingDLRS,
    }


@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_matrix_factorization_is_a_dot_product_with_biases(reduction):
    model = make(MatrixFactorization, reduction=reduction, output_bias=3.5)
    rng = np.random.default_rng(0)
    biases = {}
    for name, table in (("user", 6), ("item", 4)):
        biases[name] = rng.normal(size=(table, 1)).astype("float32")
        model.get_layer(f"{name}_bias").embeddings.assign(biases[name])
    dot = getattr(np, reduction)(
        rows(model, "user") * rows(model, "item"), axis=1
    )
    expected = 3.5 + dot + sum(biases[name][IDS[name], 0] for name in biases)
    np.testing.assert_allclose(model(IDS)[:, 0], expected, rtol=1e-6)


def test_biases_are_no_tables_of_the_search():
    assert set(make(MatrixFactorization).tables) == {"user", "item"}


def test_mlp_is_two_hidden_layers_on_both_rows():
    model = make(MLP, output_bias=1.0)
    assert model.hidden_units == [20, 10]
    hidden = np.concatenate([rows(model, "user"), rows(model, "item")], 1)
    for index in range(2):
        hidden = relu(dense(model.get_layer(f"hidden_{index}"), hidden))
    expected = dense(model.get_layer("rating"), hidden)
    np.testing.assert_allclose(model(IDS), expected, rtol=1e-5, atol=1e-6)


def test_neumf_joins_a_product_and_a_perceptron():
    model = make(NeuMF)
    widths = {name: table.output_dim for name, table in model.tables.items()}
    assert widths == {
        "user_gmf": 2,
        "item_gmf": 2,
        "user_mlp": 8,
        "item_mlp": 8,
    }
    assert model.hidden_units == [8, 4, 2]
    product = rows(model, "user_gmf") * rows(model, "item_gmf")
    hidden = np.concatenate(
        [rows(model, "user_mlp"), rows(model, "item_mlp")], 1
    )
    for index in range(3):
        hidden = relu(dense(model.get_layer(f"hidden_{index}"), hidden))
    expected = dense(
        model.get_layer("rating"), np.concatenate([product, hidden], 1)
    )
    np.testing.assert_allclose(model(IDS), expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("kind", BACKBONES.values())
def test_hyper_parameters_survive_saving(kind):
    hyper = {"output_bias": 2.5}
    if kind is MatrixFactorization:
        hyper["reduction"] = "sum"
    elif kind is StreamingDLRS:
        hyper = {"hidden_units": 7, "momentum": 0.8, "epsilon": 0.1}
    else:
        hyper["hidden_units"] = (7, 3)
    model = make(kind, **hyper)
    loaded = save_and_load(model)
    for name, value in hyper.items():
        value = list(value) if isinstance(value, tuple) else value
        assert getattr(loaded, name) == value
    np.testing.assert_array_equal(loaded(IDS), model(IDS))


@pytest.mark.parametrize("kind", BACKBONES.values())
def test_with_tables_copies_all_other_weights(kind):
    model = make(kind)
    for variable in model.trainable_variables:
        variable.assign(variable + 0.1)
    new = model.with_tables(
        {
            name: MaskedEmbedding.from_table(table)
            for name, table in model.tables.items()
        }
    )
    np.testing.assert_array_equal(new(IDS), model(IDS))
    own = {id(variable) for variable in model.variables}
    assert own.isdisjoint(id(variable) for variable in new.variables)
    loaded = save_and_load(new)
    assert all(type(t) is MaskedEmbedding for t in loaded.tables.values())
    np.testing.assert_array_equal(loaded(IDS), model(IDS))


@pytest.mark.parametrize("kind", BACKBONES.values())
def test_any_kind_of_table_will_do(kind):
    model = make(kind)
    new = model.with_tables(
        {
            name: SelectedEmbedding(
                DenseEmbedding.from_table(table),
                SoftDimensionSelection(1, table.output_dim),
                np.zeros(table.vocabulary_size, int),
                name=table.name,
            )
            for name, table in model.tables.items()
        }
    )
    run_model_test(new, IDS)
    np.testing.assert_allclose(new(IDS), model(IDS), rtol=1e-6)


@pytest.mark.parametrize("kind", BACKBONES.values())
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(kind, policy):
    expected = make(kind)(IDS)
    keras.config.set_dtype_policy(policy)
    try:
        model = make(kind)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model(IDS).dtype == "float32"
    assert all(v.dtype == "float32" for v in model.trainable_variables)
    np.testing.assert_allclose(model(IDS), expected, rtol=0.05, atol=0.02)


@pytest.mark.parametrize("kind", BACKBONES.values())
def test_refuses_other_tables(kind):
    with pytest.raises(ValueError, match="must be named"):
        kind({"user": DenseEmbedding(3, 2)})


def test_refuses_products_of_different_widths():
    widths = {"user_gmf": 1, "item_gmf": 2, "user_mlp": 4, "item_mlp": 4}
    tables = {
        name: DenseEmbedding(3, width, name=name + "_table")
        for name, width in widths.items()
    }
    with pytest.raises(ValueError, match="of one width"):
        NeuMF(tables)
    with pytest.raises(ValueError):
        MatrixFactorization(
            {
                "user": tables["user_gmf"],
                "item": tables["item_gmf"],
            }
        )


def test_neumf_refuses_a_width_that_is_no_multiple_of_five():
    with pytest.raises(ValueError, match="multiple of 5"):
        NeuMF.from_sizes(users=3, items=3, embedding_dim=12)
