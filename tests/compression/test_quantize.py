import keras
import numpy as np
import pytest

from keras_emb.compression import (
    SizeAssignment,
    compact,
    memory_report,
    quantize,
)
from keras_emb.layers import (
    DenseEmbedding,
    MaskedEmbedding,
    MixedDimensionEmbedding,
    MultiSizeEmbedding,
    PopularityController,
    ProjectedEmbedding,
    SoftSizeEmbedding,
    find_tables,
    table_values,
)
from keras_emb.zoo.backbones import MatrixFactorization, NeuMF

ROWS = {"user": 90, "item": 70}


def _model(kind=MatrixFactorization, structure="prefix", order="keep"):
    keras.utils.set_random_seed(0)
    model = kind.from_sizes(users=90, items=70, embedding_dim=20)
    rng = np.random.default_rng(0)
    shapes = {n: table_values(t).shape for n, t in find_tables(model).items()}
    if structure == "prefix":
        sizes = SizeAssignment.from_sizes(
            {
                name: rng.integers(0, dim + 1, rows)
                for name, (rows, dim) in shapes.items()
            },
            {name: dim for name, (_, dim) in shapes.items()},
        )
    else:
        sizes = SizeAssignment.from_masks(
            {name: rng.random(shape) < 0.2 for name, shape in shapes.items()}
        )
    return compact(model, sizes, row_order=order)[0]


def _oracle(rows, precision):
    if precision == "float16":
        return rows.astype("float16").astype("float32"), 0.0
    largest = np.abs(rows).max(axis=1, keepdims=True)
    # Half a step, which may be an eighth of an octave too long.
    return rows, largest / 127 * 2**0.125 / 2 * (1 + 1e-6) + 2.0**-21


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize(
    ("structure", "order"),
    [("prefix", "keep"), ("prefix", "fold"), ("mask", "keep")],
)
def test_compact_tables(structure, order, precision):
    model = _model(structure=structure, order=order)
    small = quantize(model, precision)
    for name, table in find_tables(model).items():
        stored = find_tables(small)[name]
        assert isinstance(stored, MixedDimensionEmbedding)
        values, bound = _oracle(table_values(table), precision)
        assert (np.abs(table_values(stored) - values) <= bound).all()
        # What is not kept stays exactly zero.
        assert not table_values(stored)[table_values(table) == 0].any()
    report = memory_report(small)
    assert report.total == sum(w.numpy().nbytes for w in small.weights)
    for name, table in report.tables.items():
        original = memory_report(model).tables[name]
        width = {"float16": 2, "int8": 1}[precision]
        scales = ROWS[name] if precision == "int8" else 0
        assert table.values == original.values // 4 * width + scales
        assert table.dense == original.dense // 4 * width
        assert table.index == original.index - 4 + width


def test_bytes_are_those_an_assignment_counts():
    model = _model()
    small = quantize(model, "int8")
    sizes = {
        name: (table_values(table) != 0).sum(axis=1)
        for name, table in find_tables(model).items()
    }
    assignment = SizeAssignment.from_sizes(sizes, dict.fromkeys(sizes, 20))
    tables = memory_report(small).tables.values()
    assert assignment.memory_bytes("int8") == sum(t.total for t in tables)


def test_other_weights_stay_and_the_model_can_be_saved(tmp_path):
    model = _model(NeuMF)
    small = quantize(model, "int8")
    assert memory_report(small).layers == memory_report(model).layers
    ids = {"user": np.arange(50), "item": np.arange(50)}
    np.testing.assert_allclose(small(ids), model(ids), atol=0.05)
    small.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded(ids), small(ids))


@pytest.mark.parametrize("precision", ["float16", "int8"])
@pytest.mark.parametrize(
    "kind", [DenseEmbedding, MaskedEmbedding, keras.layers.Embedding]
)
def test_dense_tables(kind, precision):
    word = keras.Input((), dtype="int32", name="word")
    table = kind(30, 8, name="table")
    model = keras.Model(word, table(word))
    small = quantize(model, precision)
    values, bound = _oracle(table_values(table), precision)
    found = table_values(find_tables(small)["table"])
    assert (np.abs(found - values) <= bound).all()


def test_tables_behind_a_map():
    word = keras.Input((), dtype="int32", name="word")
    inner = MixedDimensionEmbedding.from_rows(
        np.random.default_rng(0).normal(size=(30, 8)), sizes=np.arange(30) % 9
    )
    table = ProjectedEmbedding(inner, 5, name="table")
    small = quantize(keras.Model(word, table(word)), "int8")
    found = find_tables(small)["table"]
    assert found.table.packed_values.dtype == "int8"
    np.testing.assert_array_equal(found.kernel, table.kernel)
    np.testing.assert_allclose(table_values(found), table.values(), atol=0.1)


def test_refuses_what_it_cannot_store():
    word = keras.Input((), dtype="int32", name="word")
    table = SoftSizeEmbedding(
        MultiSizeEmbedding(9, [2, 4], name="candidates"),
        PopularityController(2),
        name="table",
    )
    with pytest.raises(ValueError, match="must have dense or compact tables"):
        quantize(keras.Model(word, table(word)), "int8")
    with pytest.raises(ValueError, match="`precision` must be"):
        quantize(_model(), "float32")
    with pytest.raises(ValueError, match="can only be chosen for a table"):
        quantize(quantize(_model(), "int8"), "int8")
