import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import MixedDimensionEmbedding
from keras_emb.layers.ragged_reads import RaggedReads
from tests.testing import run_layer_test

IDS = np.array([[0, 4], [2, 2], [3, 1]], "int32")


def _sizes(kind: str, rows: int, dim: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    sizes = {
        "any": rng.integers(0, dim + 1, rows),
        "few": rng.integers(0, 3, rows).clip(0, dim),
        "sorted": np.sort(rng.integers(0, dim + 1, rows))[::-1],
        "full": np.full(rows, dim),
        "none": np.zeros(rows, int),
        "first_only": np.arange(rows) == 0,
        "last_only": np.arange(rows) == rows - 1,
    }
    return np.asarray(sizes[kind], int)


def _mask(sizes: np.ndarray, dim: int, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    rank = rng.permuted(np.tile(np.arange(dim), (len(sizes), 1)), axis=1)
    return rank < sizes[:, None]


def _case(kind, structure, rows, dim):
    dense = np.random.default_rng(2).normal(size=(rows, dim)).astype("float32")
    sizes = _sizes(kind, rows, dim)
    if structure == "prefix":
        mask = np.arange(dim) < sizes[:, None]
        return MixedDimensionEmbedding.from_rows(
            dense, sizes=sizes
        ), dense * mask
    mask = _mask(sizes, dim)
    return MixedDimensionEmbedding.from_rows(dense, mask=mask), dense * mask


KINDS = ["any", "few", "sorted", "full", "none", "first_only", "last_only"]


@pytest.mark.parametrize("shape", [(1, 1), (5, 3), (200, 20), (70, 300)])
@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_the_masked_rows(kind, structure, shape):
    table, expected = _case(kind, structure, *shape)
    np.testing.assert_array_equal(table.values(), expected)
    ids = np.random.default_rng(0).integers(0, shape[0], (2, 3, 2))
    np.testing.assert_array_equal(table(ids), expected[ids])


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", ["any", "few", "sorted", "none"])
def test_xla_gives_the_same(kind, structure):
    table, expected = _case(kind, structure, 200, 20)
    call = tf.function(table.call, jit_compile=True, autograph=False)
    ids = np.arange(200, dtype="int32")
    np.testing.assert_array_equal(call(ids), expected)


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", ["any", "sorted", "few", "none"])
def test_unknown_ids_never_see_another_row(kind, structure):
    table, _ = _case(kind, structure, 70, 20)
    compiled = tf.function(table.call, jit_compile=True, autograph=False)
    for bad in (-1, 70, 71, 127, 128, 10**6):
        with pytest.raises(tf.errors.InvalidArgumentError):
            table(np.array([bad]))
        np.testing.assert_array_equal(
            compiled(np.array([bad], "int32")), np.zeros((1, 20))
        )


@pytest.mark.parametrize("dtype", ["uint8", "int32", "int64", "float32"])
def test_ids_of_any_type(dtype):
    table, expected = _case("any", "prefix", 5, 4)
    np.testing.assert_array_equal(table(IDS.astype(dtype)), expected[IDS])


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", ["any", "few", "sorted"])
def test_layer(kind, structure):
    def make(**kwargs):
        table, _ = _case(kind, structure, 90, 20)
        copy = MixedDimensionEmbedding.from_config(
            {**table.get_config(), **kwargs}
        )
        copy.set_weights(table.get_weights())
        return copy

    run_layer_test(make, IDS, expected_shape=(3, 2, 20))


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", KINDS)
def test_bytes_are_those_of_the_weights(kind, structure):
    table, expected = _case(kind, structure, 200, 20)
    stored = sum(weight.numpy().nbytes for weight in table.weights)
    assert table.value_bytes + table.index_bytes == stored
    assert table.value_bytes == 4 * _sizes(kind, 200, 20).sum()
    assert not table.trainable_weights


def test_rows_in_order_of_size_need_no_index_per_row():
    dense = np.ones((5000, 16))
    sizes = np.sort(_sizes("any", 5000, 16))[::-1]
    table = MixedDimensionEmbedding.from_rows(dense, sizes=sizes)
    assert table.index_bytes <= 24 * 17 + 4


def test_stores_a_mask_the_cheaper_way():
    dense = np.ones((500, 64))
    for share, storage in ((0.5, "bits"), (0.05, "columns")):
        mask = np.random.default_rng(0).random(dense.shape) < share
        table = MixedDimensionEmbedding.from_rows(dense, mask=mask)
        assert table.mask_storage == storage


def test_casts_what_it_has_gathered():
    dense = np.random.default_rng(0).normal(size=(5, 4))
    table = MixedDimensionEmbedding.from_rows(
        dense, sizes=[4] * 5, dtype="mixed_float16"
    )
    assert table.packed_values.dtype == "float32"
    assert table(IDS).dtype == "float16"


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({"vocabulary_size": 0}, "`vocabulary_size` must be an integer"),
        ({"output_dim": 1.5}, "`output_dim` must be an integer"),
        ({"num_values": -1}, "`num_values` must be an integer"),
        ({"num_groups": 0}, "`num_groups` must be an integer"),
        ({"structure": "rows"}, "`structure` must be"),
        ({"mask_storage": "bytes"}, "`mask_storage` must be"),
    ],
)
def test_refuses_wrong_arguments(arguments, message):
    right = {"vocabulary_size": 5, "output_dim": 4, "num_values": 7}
    with pytest.raises(ValueError, match=message):
        MixedDimensionEmbedding(**{**right, **arguments})


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "Exactly one of"),
        ({"sizes": [1, 1], "mask": np.ones((2, 3))}, "Exactly one of"),
        ({"sizes": [1, 4]}, "`sizes` must be 2 integers"),
        ({"sizes": [1]}, "`sizes` must be 2 integers"),
        ({"sizes": [1, 0.5]}, "`sizes` must be 2 integers"),
        ({"mask": np.ones((2, 2))}, "`mask` must be booleans"),
        ({"mask": np.full((2, 3), 2)}, "`mask` must be booleans"),
    ],
)
def test_refuses_what_does_not_fit_the_rows(arguments, message):
    with pytest.raises(ValueError, match=message):
        MixedDimensionEmbedding.from_rows(np.ones((2, 3)), **arguments)


@pytest.mark.parametrize("precision", [None, "float16", "int8"])
@pytest.mark.parametrize("shape", [(1, 1), (200, 20), (70, 300)])
@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", ["any", "sorted", "none", "last_only"])
def test_ragged_reads_find_the_same(kind, structure, shape, precision):
    table, _ = _case(kind, structure, *shape)
    if precision is not None:
        table = table.with_precision(precision)
    ids = np.random.default_rng(0).integers(0, shape[0], (9, 2))
    expected = table(ids)
    with RaggedReads():
        np.testing.assert_array_equal(table(ids), expected)
        assert table(ids[:0]).shape == (0, 2, shape[1])
        with pytest.raises(tf.errors.InvalidArgumentError):
            table(np.array([shape[0]]))


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_layer_of_fewer_bits(precision):
    def make(**kwargs):
        table, _ = _case("any", "prefix", 90, 20)
        table = table.with_precision(precision)
        copy = MixedDimensionEmbedding.from_config(
            {**table.get_config(), **kwargs}
        )
        copy.set_weights(table.get_weights())
        return copy

    run_layer_test(make, IDS, expected_shape=(3, 2, 20))
