"""Backbones of any number of fields, against plain NumPy."""

import keras
import keras_rs
import numpy as np
import pytest

from keras_emb.compression import align, compact, threshold_assignment
from keras_emb.layers import (
    DenseEmbedding,
    FieldOffsets,
    FieldPooling,
    MaskedEmbedding,
    find_tables,
    table_counts,
    table_values,
)
from keras_emb.zoo import DeepFM, FactorizationMachine, WideDeep
from keras_emb.zoo.backbones.pairwise_interaction import PairwiseInteraction
from tests.testing import run_layer_test, run_model_test, save_and_load

KINDS = [FactorizationMachine, WideDeep, DeepFM]
FIELDS = {"user": 6, "item": 4, "hour": 3}
IDS = {
    "user": np.array([0, 1, 2, 5, 5], "int32"),
    "item": np.array([3, 0, 3, 1, 2], "int32"),
    "hour": np.array([1, 1, 0, 2, 0], "int32"),
}
# With a field of several values and one of numbers.
RICH_FIELDS = {"user": 6, "genres": 5, "price": 3}
RICH = {
    "user": IDS["user"],
    "genres": np.array(
        [[1, 2, 3], [4, 0, 0], [0, 0, 0], [0, 2, 2], [1, 0, 4]], "int32"
    ),
    "price": np.array([1, 1, 2, 0, 1], "int32"),
    "price_value": np.array([0.5, -2.0, 1.0, 1.0, 0.0], "float32"),
}


def make(kind, *, rich=False, **kwargs):
    keras.utils.set_random_seed(1)
    if kind is not FactorizationMachine:
        kwargs.setdefault("hidden_units", (7, 5))
    if rich:
        kwargs |= {
            "fields": RICH_FIELDS,
            "multi_valued": {"genres": 3},
            "numeric": ("price",),
        }
    model = kind.from_sizes(**{"fields": FIELDS, "embedding_dim": 4, **kwargs})
    rng = np.random.default_rng(2)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    return model


def field_vectors(model, inputs, suffix="table"):
    """Vectors of shape (batch, fields, dim), as the definitions say."""
    vectors = []
    for name, ids in inputs.items():
        if name.endswith("_value"):
            continue
        layer = model.get_layer(f"{name}_{suffix}")
        rows = layer.embeddings.numpy().astype("float64")[ids]
        if ids.ndim == 2:
            rows = np.stack(
                [
                    row[known].mean(axis=0) if known.any() else row[0]
                    for row, known in zip(rows, ids != 0, strict=True)
                ]
            )
        if f"{name}_value" in inputs:
            rows = rows * inputs[f"{name}_value"][:, None]
        vectors.append(rows)
    return np.stack(vectors, axis=1)


def oracle(model, inputs):
    vectors = field_vectors(model, inputs)
    logit = field_vectors(model, inputs, "linear").sum(axis=(1, 2))
    logit = logit + float(model.get_layer("logit").bias.numpy())
    if not isinstance(model, WideDeep):
        products = np.einsum("bfk,bgk->bfg", vectors, vectors)
        pairs = np.triu(products, 1).sum(axis=(1, 2))
        mean = model.reduction == "mean"
        logit = logit + pairs / (vectors.shape[2] if mean else 1)
    if not isinstance(model, FactorizationMachine):
        hidden = vectors.reshape(len(vectors), -1)
        for number in range(len(model.hidden_units)):
            layer = model.get_layer(f"hidden_{number}")
            hidden = np.maximum(
                hidden @ layer.kernel.numpy() + layer.bias.numpy(), 0
            )
        logit = logit + (hidden @ model.get_layer("deep").kernel.numpy())[:, 0]
    return logit


@pytest.mark.parametrize("kind", KINDS)
def test_backbone(kind):
    run_model_test(make(kind), IDS)


@pytest.mark.parametrize("rich", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_logits_are_what_the_papers_say(kind, rich):
    inputs = RICH if rich else IDS
    for options in ({}, {"reduction": "sum"})[: 1 + (kind is not WideDeep)]:
        model = make(kind, rich=rich, **options)
        np.testing.assert_allclose(
            np.asarray(model(inputs))[:, 0], oracle(model, inputs), rtol=2e-5
        )


@pytest.mark.parametrize("rich", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_one_table_answers_like_one_a_field(kind, rich):
    inputs = RICH if rich else IDS
    apart, shared = make(kind, rich=rich), make(kind, rich=rich, shared=True)
    for suffix in ("table", "linear"):
        shared.get_layer(f"fields_{suffix}").embeddings.assign(
            np.concatenate(
                [
                    apart.get_layer(f"{name}_{suffix}").embeddings.numpy()
                    for name in apart.fields
                ]
            )
        )
    own = {"hidden_0", "hidden_1", "deep", "logit"}
    for layer in shared.layers:
        if layer.name in own:
            layer.set_weights(apart.get_layer(layer.name).get_weights())
    np.testing.assert_allclose(shared(inputs), apart(inputs), rtol=1e-5)
    loaded = save_and_load(shared)
    np.testing.assert_array_equal(loaded(inputs), shared(inputs))
    counts = {name: np.arange(rows) for name, rows in shared.fields.items()}
    np.testing.assert_array_equal(
        table_counts(shared, counts)["fields"],
        np.concatenate(list(counts.values())),
    )


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_aligning_changes_no_prediction_and_gathers_energy(kind, shared):
    model = make(kind, rich=True, shared=shared)
    counts = {name: np.arange(1, n + 1) for name, n in RICH_FIELDS.items()}
    aligned = align(model, counts)
    np.testing.assert_allclose(aligned(RICH), model(RICH), rtol=1e-4)
    weights = table_counts(aligned, counts)
    energy = sum(
        (weights[name][:, None] * table_values(table) ** 2).sum(axis=0)
        for name, table in aligned.tables.items()
    )
    assert (np.diff(energy) <= 1e-5 * energy[:-1]).all() or kind is WideDeep
    for name, table in aligned.tables.items():
        assert not np.allclose(
            table_values(table), table_values(model.tables[name])
        )


def test_a_field_of_few_values_needs_few_coordinates():
    # Three rows span three coordinates at most, of four.
    aligned = align(
        make(WideDeep), {name: np.ones(rows) for name, rows in FIELDS.items()}
    )
    found = table_values(aligned.tables["hour"])
    assert np.abs(found[:, 3]).max() < 1e-3 * np.abs(found[:, 0]).max()


@pytest.mark.parametrize("kind", KINDS)
def test_compact_models_answer_like_masked_ones(kind):
    for shared, order in ((False, "fold"), (True, "keep")):
        model = make(kind, rich=True, shared=shared)
        tables = {n: table_values(t) for n, t in find_tables(model).items()}
        sizes = threshold_assignment(tables, 0.5, "prefix")
        masked = model.with_tables(
            {
                name: MaskedEmbedding.from_table(table)
                for name, table in model.tables.items()
            }
        )
        for name, table in masked.tables.items():
            table.assign_sizes(sizes.sizes(name))
        small, report = compact(masked, sizes, row_order=order)
        inputs = dict(RICH)
        for name, rows in report.feature_orders.items():
            assert rows[0] == 0
            inputs[name] = np.argsort(rows)[inputs[name]].astype("int32")
        assert set(report.feature_orders) == (
            set() if shared else set(RICH_FIELDS)
        )
        np.testing.assert_allclose(small(inputs), masked(RICH), rtol=1e-5)


def test_layers():
    run_layer_test(
        lambda **kwargs: PairwiseInteraction("sum", **kwargs),
        np.random.default_rng(0).random((5, 3, 4)).astype("float32"),
        expected_shape=(5, 1),
    )
    run_layer_test(
        lambda **kwargs: FieldOffsets({"user": 6, "genres": 5}, **kwargs),
        {"user": RICH["user"], "genres": RICH["genres"]},
        expected_shape=(5, 4),
        mixed_precision=False,
    )
    run_layer_test(
        lambda **kwargs: FieldPooling(
            {"user": 1, "genres": 3, "price": 1}, **kwargs
        ),
        np.random.default_rng(0).normal(size=(5, 5, 4)).astype("float32"),
        {"genres": RICH["genres"]},
        {"price": RICH["price_value"]},
        expected_shape=(5, 3, 4),
    )


def test_pairs_are_those_of_keras_rs():
    vectors = np.random.default_rng(0).normal(size=(6, 3, 4)).astype("float32")
    products = keras_rs.layers.DotInteraction()(
        [vectors[:, f] for f in range(3)]
    )
    np.testing.assert_allclose(
        PairwiseInteraction("sum")(vectors)[:, 0],
        np.asarray(products).sum(axis=1),
        rtol=1e-4,
    )


def test_ids_of_no_row_are_the_unknown_ones_of_their_field():
    model = make(DeepFM, shared=True)
    beyond = {name: ids.copy() for name, ids in IDS.items()}
    known = {name: ids.copy() for name, ids in IDS.items()}
    beyond["user"][:2], beyond["item"][:2] = [6, -1], [4, 10**9]
    known["user"][:2], known["item"][:2] = 0, 0
    np.testing.assert_array_equal(model(beyond), model(known))


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("shared", [False, True])
def test_mixed_precision(policy, shared):
    expected = make(DeepFM, rich=True, shared=shared)(RICH)
    keras.config.set_dtype_policy(policy)
    try:
        model = make(DeepFM, rich=True, shared=shared)
    finally:
        keras.config.set_dtype_policy("float32")
    assert model(RICH).dtype == "float32"
    np.testing.assert_allclose(model(RICH), expected, rtol=0.1, atol=0.2)


def test_what_does_not_fit_is_refused():
    tables = {"user": DenseEmbedding(3, 2), "item": DenseEmbedding(3, 4)}
    rows = {"user": 3, "item": 3}
    for kind in KINDS:
        with pytest.raises(ValueError, match="must be of one width"):
            kind(tables, rows)
    with pytest.raises(ValueError, match="`tables` must be one a field"):
        WideDeep(tables, {"user": 3})
    with pytest.raises(ValueError, match="`tables` must be one a field"):
        WideDeep({"fields": DenseEmbedding(5, 2)}, rows)
    with pytest.raises(ValueError, match="`multi_valued` must name fields"):
        make(DeepFM, multi_valued={"genre": 2})
    with pytest.raises(ValueError, match="`numeric` must name fields"):
        make(DeepFM, numeric=("age",))
    with pytest.raises(ValueError, match="`reduction` must be 'mean'"):
        make(DeepFM, reduction="max")
