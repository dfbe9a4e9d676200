import numpy as np
import pytest

from keras_emb.compression import TableSizes
from keras_emb.layers import MixedDimensionEmbedding

MASK = np.array([[1, 0, 1], [0, 0, 0]], bool)


def test_prefix():
    table = TableSizes(4, sizes=[0, 4, 2])
    assert (table.structure, table.rows) == ("prefix", 3)
    assert (table.num_parameters, table.dense_parameters) == (6, 12)
    np.testing.assert_array_equal(table.row_sizes, [0, 4, 2])
    np.testing.assert_array_equal(
        table.row_mask, [[0, 0, 0, 0], [1, 1, 1, 1], [1, 1, 0, 0]]
    )


def test_mask():
    table = TableSizes(3, mask=MASK)
    assert (table.structure, table.rows) == ("mask", 2)
    assert (table.num_parameters, table.dense_parameters) == (2, 6)
    np.testing.assert_array_equal(table.row_sizes, [2, 0])
    np.testing.assert_array_equal(table.row_mask, MASK)


def test_equals_what_keeps_the_same():
    assert TableSizes(4, sizes=[1, 2]) == TableSizes(4, sizes=[1.0, 2.0])
    assert TableSizes(4, sizes=[1, 2]) != TableSizes(4, sizes=[2, 1])
    assert TableSizes(4, sizes=[1, 2]) != TableSizes(5, sizes=[1, 2])
    assert TableSizes(3, mask=MASK) == TableSizes(3, mask=MASK.astype(int))
    assert TableSizes(3, mask=MASK) != TableSizes(3, sizes=[2, 0])
    assert TableSizes(4, sizes=[1]) != "sizes"


def test_cannot_be_changed_from_outside():
    sizes = np.array([1, 2])
    table = TableSizes(4, sizes=sizes)
    sizes[0] = 4
    assert table.num_parameters == 3
    with pytest.raises(ValueError, match="read-only"):
        table.sizes[0] = 4


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("structure", ["prefix", "mask"])
def test_memory_is_what_the_layer_stores(structure, seed):
    rng = np.random.default_rng(seed)
    rows, dim = rng.integers(1, 400), rng.integers(1, 80)
    mask = rng.random((rows, dim)) < rng.random() ** 2
    kept = {"mask": mask} if structure == "mask" else {"sizes": mask.sum(1)}
    table = TableSizes(dim, **kept)
    layer = MixedDimensionEmbedding.from_rows(np.ones((rows, dim)), **kept)
    assert table.memory_bytes() == layer.value_bytes + layer.index_bytes
    saved = table.memory_bytes() - table.memory_bytes("float16")
    assert saved == 2 * (table.num_parameters + 1)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ({}, "Exactly one"),
        ({"sizes": [1], "mask": [[True] * 3]}, "Exactly one"),
        ({"sizes": [[1]]}, "`sizes` must be numbers"),
        ({"sizes": []}, "`sizes` must be numbers"),
        ({"sizes": ["a"]}, "`sizes` must be numbers"),
        ({"sizes": [4]}, "`sizes` must be integers between 0 and 3"),
        ({"sizes": [-1]}, "`sizes` must be integers between"),
        ({"sizes": [0.5]}, "`sizes` must be integers between"),
        ({"sizes": [np.nan]}, "`sizes` must be integers between"),
        ({"mask": [True] * 3}, "`mask` must have shape"),
        ({"mask": [[True] * 2]}, "`mask` must have shape"),
        ({"mask": [[0, 1, 2]]}, "`mask` must hold booleans"),
        ({"output_dim": 0, "sizes": [0]}, "`output_dim` must be"),
    ],
)
def test_refuses_what_does_not_fit(arguments, message):
    with pytest.raises(ValueError, match=message):
        TableSizes(**{"output_dim": 3, **arguments})
