import numpy as np
import pytest

from keras_emb.compression.row_order import shared_row_order
from keras_emb.layers.row_index import num_groups, row_index_bytes


def test_one_table_is_sorted_largest_first():
    sizes = np.random.default_rng(0).integers(0, 17, 2000)
    order = shared_row_order([sizes], [16])
    assert order[0] == 0
    assert sorted(order) == list(range(2000))
    assert (np.diff(sizes[order][1:]) <= 0).all()
    assert num_groups(sizes[order]) <= 18


def test_equal_rows_keep_their_order():
    sizes = np.random.default_rng(0).integers(0, 3, 500)
    order = shared_row_order([sizes], [2])
    for size in range(3):
        rows = order[1:][sizes[order[1:]] == size]
        assert (np.diff(rows) > 0).all()


def test_keeps_an_order_that_is_good():
    for sizes in (np.full(100, 4), np.repeat([1, 3], 50)):
        np.testing.assert_array_equal(
            shared_row_order([sizes], [4]), np.arange(100)
        )


@pytest.mark.parametrize("num_tables", [2, 3, 6])
@pytest.mark.parametrize("seed", range(3))
def test_sharing_never_costs_more_than_keeping(seed, num_tables):
    rng = np.random.default_rng(seed)
    sizes = [rng.integers(0, 5, 3000) for _ in range(num_tables)]
    sizes[1] = np.repeat([3, 1, 2], 1000)
    order = shared_row_order(sizes, [8] * num_tables)
    assert order[0] == 0
    assert sorted(order) == list(range(3000))
    before = sum(row_index_bytes(table, 8) for table in sizes)
    after = sum(row_index_bytes(table[order], 8) for table in sizes)
    assert after <= before


def test_two_tables_both_become_groups():
    rng = np.random.default_rng(0)
    sizes = [rng.integers(0, 4, 5000) for _ in range(2)]
    order = shared_row_order(sizes, [8, 8])
    groups = sorted(num_groups(table[order]) for table in sizes)
    assert groups[0] <= 5
    assert groups[1] <= 17


def test_one_row():
    assert shared_row_order([np.array([3])], [4]).tolist() == [0]
