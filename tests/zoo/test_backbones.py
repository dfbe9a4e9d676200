import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import (
    BipartiteGraph,
    DenseEmbedding,
    MaskedEmbedding,
    SelectedEmbedding,
    SoftDimensionSelection,
)
from keras_emb.layers.reinitialize import reinitialize
from keras_emb.zoo import (
    BACKBONES,
    MLP,
    NGCF,
    DeepFM,
    FactorizationMachine,
    FieldBackbone,
    LightGCN,
    MatrixFactorization,
    NeuMF,
    StreamingDLRS,
    WideDeep,
)
from tests.testing import run_model_test, save_and_load

IDS = {
    "user": np.array([0, 1, 2, 5, 5], "int32"),
    "item": np.array([3, 0, 3, 1, 2], "int32"),
}

# User 0, user 4 and item 0 have no neighbour.
PAIRS = [(1, 1), (1, 2), (2, 2), (3, 3), (5, 1), (5, 3)]
GRAPH = BipartiteGraph.from_pairs(*zip(*PAIRS, strict=True), 6, 4)
GRAPH_KINDS = (LightGCN, NGCF)
# Those of any number of fields have tests of their own.
OF_TWO_SIDES = {
    name: kind
    for name, kind in BACKBONES.items()
    if not issubclass(kind, FieldBackbone)
}


def make(kind, **kwargs):
    keras.utils.set_random_seed(1)
    if kind in GRAPH_KINDS:
        return kind.from_graph(GRAPH, embedding_dim=10, **kwargs)
    return kind.from_sizes(users=6, items=4, embedding_dim=10, **kwargs)


def random_weights(model):
    rng = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


def relu(values):
    return np.maximum(values, 0)


def dense(layer, values):
    return values @ layer.kernel.numpy() + layer.bias.numpy()


def rows(model, name):
    ids = IDS[model.table_features[name]]
    return model.tables[name].embeddings.numpy()[ids]


@pytest.mark.parametrize("name", OF_TWO_SIDES)
def test_backbone(name):
    kind = BACKBONES[name]
    run_model_test(make(kind), IDS, jit_compile=kind not in GRAPH_KINDS)


def test_registry():
    assert BACKBONES == {
        "deepfm": DeepFM,
        "factorization_machine": FactorizationMachine,
        "lightgcn": LightGCN,
        "matrix_factorization": MatrixFactorization,
        "mlp": MLP,
        "neumf": NeuMF,
        "ngcf": NGCF,
        "streaming_dlrs": StreamingDLRS,
        "wide_deep": WideDeep,
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
    # One kernel upon both rows, side by side.
    shares = [model.get_layer(f"hidden_0_{side}") for side in ("user", "item")]
    kernel = np.concatenate([share.kernel.numpy() for share in shares])
    limit = np.sqrt(6 / (16 + 8))
    assert 0.8 * limit < np.abs(kernel).max() <= limit
    assert shares[0].bias is None
    hidden = np.concatenate(
        [rows(model, "user_mlp"), rows(model, "item_mlp")], 1
    )
    hidden = relu(hidden @ kernel + shares[1].bias.numpy())
    for index in (1, 2):
        hidden = relu(dense(model.get_layer(f"hidden_{index}"), hidden))
    expected = dense(
        model.get_layer("rating"), np.concatenate([product, hidden], 1)
    )
    np.testing.assert_allclose(model(IDS), expected, rtol=1e-5, atol=1e-6)


def adjacency(pairs, users, items):
    matrix = np.zeros((users + items, users + items))
    for user, item in pairs:
        matrix[user, users + item] = matrix[users + item, user] = 1
    return matrix


def nodes_of(model):
    return np.concatenate(
        [model.tables[name].values() for name in ("user", "item")]
    ).astype("float64")


def dot_products(nodes):
    return (nodes[IDS["user"]] * nodes[6 + IDS["item"]]).sum(1, keepdims=True)


@pytest.mark.parametrize("num_layers", [1, 3])
def test_lightgcn_averages_powers_of_the_normalised_graph(num_layers):
    model = random_weights(make(LightGCN, num_layers=num_layers))
    matrix = adjacency(PAIRS, 6, 4)
    degrees = np.maximum(matrix.sum(1), 1)
    matrix /= np.sqrt(np.outer(degrees, degrees))
    layers = [nodes_of(model)]
    for _ in range(num_layers):
        layers.append(matrix @ layers[-1])
    expected = dot_products(np.mean(layers, axis=0))
    assert np.abs(expected).min() > 0
    np.testing.assert_allclose(model(IDS), expected, rtol=1e-4, atol=1e-5)
    # No dropout: nothing changes in training.
    np.testing.assert_array_equal(model(IDS, training=True), model(IDS))


def test_ngcf_interacts_with_the_mean_of_neighbourhood_and_self():
    model = random_weights(make(NGCF, layer_units=(4, 6)))
    matrix = adjacency(PAIRS, 6, 4) + np.eye(10)
    matrix /= matrix.sum(1, keepdims=True)

    def leaky(values):
        return np.where(values > 0, values, 0.2 * values)

    nodes = nodes_of(model)
    blocks = [nodes]
    for cell in model.propagation.cells:
        received = matrix @ nodes
        nodes = leaky(dense(cell.sum, received)) + leaky(
            dense(cell.product, received * nodes)
        )
        blocks.append(nodes / np.linalg.norm(nodes, axis=1, keepdims=True))
    whole = np.concatenate(blocks, axis=1)
    assert whole.shape == (10, 10 + 4 + 6)
    np.testing.assert_allclose(
        model(IDS), dot_products(whole), rtol=1e-4, atol=1e-4
    )
    assert not np.allclose(model(IDS, training=True), model(IDS))


def test_ngcf_is_as_wide_as_its_tables_by_default():
    model = make(NGCF)
    assert model.layer_units == [10, 10, 10]
    assert (model.node_dropout, model.message_dropout) == (0.1, 0.1)


@pytest.mark.parametrize("kind", GRAPH_KINDS)
def test_a_node_without_neighbours_has_finite_scores_and_gradients(kind):
    model = make(kind)
    ids = {"user": np.array([0, 4]), "item": np.array([0, 0])}
    with tf.GradientTape() as tape:
        scores = model(ids, training=True)
        loss = tf.reduce_sum(scores)
    assert np.isfinite(scores).all()
    for gradient in tape.gradient(
        loss, [v.value for v in model.trainable_variables]
    ):
        if gradient is not None:
            assert np.isfinite(tf.convert_to_tensor(gradient)).all()


def test_ngcf_stays_finite_where_all_is_zero():
    model = make(NGCF)
    for variable in model.trainable_variables:
        variable.assign(variable * 0)
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(model(IDS))
    gradients = tape.gradient(
        loss, [v.value for v in model.trainable_variables]
    )
    assert float(loss) == 0
    for gradient in gradients:
        assert np.isfinite(tf.convert_to_tensor(gradient)).all()


@pytest.mark.parametrize("kind", GRAPH_KINDS)
def test_the_graph_goes_where_the_model_goes(kind):
    model = make(kind)
    tables = {
        name: MaskedEmbedding.from_table(table)
        for name, table in model.tables.items()
    }
    for copy in (save_and_load(model), model.with_tables(tables)):
        graph = copy.propagation.graph
        np.testing.assert_array_equal(graph.items, GRAPH.items)
        np.testing.assert_array_equal(graph.user_degrees, GRAPH.user_degrees)
    fresh = reinitialize(model)
    np.testing.assert_array_equal(fresh.propagation.graph.items, GRAPH.items)
    np.testing.assert_array_equal(
        fresh.propagation.graph.user_degrees, GRAPH.user_degrees
    )
    assert not np.allclose(
        fresh.tables["user"].values(), model.tables["user"].values()
    )


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        (LightGCN, {}),
        (NGCF, {"layer_units": (4, 6)}),
        (MatrixFactorization, {"reduction": "mean", "output_bias": 2.0}),
        (MatrixFactorization, {"reduction": "sum"}),
        (NeuMF, {}),
        (NeuMF, {"hidden_units": [6]}),
        (NeuMF, {"equal_widths": True, "hidden_units": [10]}),
        (NeuMF, {"equal_widths": True, "hidden_units": [7, 5, 3]}),
    ],
)
def test_codes_give_the_score_of_every_pair(kind, kwargs):
    model = random_weights(make(kind, **kwargs))
    users, items = (ids.ravel() for ids in np.mgrid[:6, :4].astype("int32"))
    expected = np.reshape(model({"user": users, "item": items}), (6, 4))
    scale = np.abs(expected).max()
    codes = model.encode()
    assert [len(side) for side in codes] == [6, 4]

    def scores(users):
        block = tf.gather(codes[0], users)
        return model.score_codes(block, codes[1])

    for rows in ([0, 1, 2, 3, 4, 5], [5, 2]):
        for call in (scores, tf.function(scores)):
            np.testing.assert_allclose(
                call(rows), expected[rows], atol=1e-5 * scale
            )
    for one, other in zip(codes, tf.function(model.encode)(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "kwargs"),
    [
        (LightGCN, {}),
        (NGCF, {"layer_units": (4,), "node_dropout": 0}),
        (MatrixFactorization, {}),
        (NeuMF, {"equal_widths": True}),
    ],
)
def test_what_a_penalty_falls_on(kind, kwargs):
    model = random_weights(make(kind, **kwargs))
    found = keras.Model(model.input, model.regularized)(IDS)
    ends = {}
    for index, side in enumerate(("user", "item")):
        if kind is NGCF:
            ends[side] = np.asarray(model.encode()[index])
        else:
            ends[side] = np.concatenate(
                [
                    table.values()
                    for name, table in model.tables.items()
                    if name.startswith(side)
                ],
                axis=1,
            )
    for side, values in ends.items():
        np.testing.assert_allclose(
            found[side], (values[IDS[side]] ** 2).sum(1), rtol=1e-4
        )


@pytest.mark.parametrize("kind", OF_TWO_SIDES.values())
def test_hyper_parameters_survive_saving(kind):
    hyper = {"output_bias": 2.5}
    if kind is MatrixFactorization:
        hyper["reduction"] = "sum"
    elif kind is LightGCN:
        hyper = {"num_layers": 2}
    elif kind is NGCF:
        hyper = {
            "layer_units": (7, 3),
            "node_dropout": 0.2,
            "message_dropout": 0.3,
        }
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


@pytest.mark.parametrize("kind", OF_TWO_SIDES.values())
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


@pytest.mark.parametrize("kind", OF_TWO_SIDES.values())
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
    run_model_test(new, IDS, jit_compile=kind not in GRAPH_KINDS)
    np.testing.assert_allclose(new(IDS), model(IDS), rtol=1e-6)


@pytest.mark.parametrize("kind", OF_TWO_SIDES.values())
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


@pytest.mark.parametrize("kind", OF_TWO_SIDES.values())
def test_refuses_other_tables(kind):
    kwargs = {"num_edges": 1} if kind in GRAPH_KINDS else {}
    with pytest.raises(ValueError, match="must be named"):
        kind({"user": DenseEmbedding(3, 2)}, **kwargs)


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
    for kind in GRAPH_KINDS:
        with pytest.raises(ValueError, match="of one width"):
            kind(
                {"user": tables["user_gmf"], "item": tables["item_gmf"]},
                num_edges=1,
            )


def test_neumf_refuses_a_width_that_is_no_multiple_of_five():
    with pytest.raises(ValueError, match="multiple of 5"):
        NeuMF.from_sizes(users=3, items=3, embedding_dim=12)


@pytest.mark.parametrize("kind", [MatrixFactorization, NeuMF])
def test_a_misspelt_argument_is_refused(kind):
    with pytest.raises(ValueError, match="no such argument.*hiden_units"):
        kind.from_sizes(users=2, items=2, embedding_dim=5, hiden_units=[3])
