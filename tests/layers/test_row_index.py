import numpy as np
import pytest

from keras_emb.layers.row_index import (
    BLOCK_LENGTH,
    GROUP_BYTES,
    group_rows,
    mask_index_bytes,
    num_groups,
    pack_bits,
    row_blocks,
    row_index_bytes,
    row_index_kind,
    small_integer,
    unpack_bits,
)

SIZES = [
    np.zeros(1, int),
    np.array([3, 3, 3]),
    np.array([0, 5, 0, 5]),
    np.random.default_rng(0).integers(0, 300, 1000),
    np.sort(np.random.default_rng(1).integers(0, 9, 500))[::-1],
]


@pytest.mark.parametrize("sizes", SIZES)
def test_groups_give_every_start_and_size(sizes):
    groups = group_rows(sizes)
    assert len(groups) == num_groups(sizes)
    rows = np.arange(len(sizes))
    first, start, size = groups[
        np.searchsorted(groups[:, 0], rows, side="right") - 1
    ].T
    np.testing.assert_array_equal(size, sizes)
    np.testing.assert_array_equal(
        start + (rows - first) * size, np.cumsum(sizes) - sizes
    )


@pytest.mark.parametrize("sizes", SIZES)
def test_blocks_give_every_start_and_size(sizes):
    stored, starts = row_blocks(sizes, 300)
    assert stored.dtype == "uint16"
    flat = stored.ravel().astype(int)
    np.testing.assert_array_equal(flat[: len(sizes)], sizes)
    assert not flat[len(sizes) :].any()
    before = np.cumsum(sizes) - sizes
    np.testing.assert_array_equal(starts, before[::BLOCK_LENGTH])


@pytest.mark.parametrize("sizes", SIZES)
def test_index_is_the_cheaper_one(sizes):
    stored, starts = row_blocks(sizes, 300)
    costs = {
        "groups": group_rows(sizes).nbytes,
        "blocks": stored.nbytes + starts.nbytes,
    }
    assert costs["groups"] == GROUP_BYTES * num_groups(sizes)
    kind = row_index_kind(sizes, 300)
    assert costs[kind] == min(costs.values()) == row_index_bytes(sizes, 300)


def test_rows_of_any_order_cost_little_more_than_a_byte():
    sizes = np.random.default_rng(0).integers(0, 65, 100_000)
    assert row_index_bytes(sizes, 64) < 1.13 * len(sizes)


def test_mask_index_is_bits_or_columns():
    assert mask_index_bytes(10, 20, 50) == 30
    assert mask_index_bytes(10, 20, 5) == 6
    assert mask_index_bytes(10, 257, 5) == 12


@pytest.mark.parametrize("dim", [1, 8, 13])
def test_bits_round_trip(dim):
    mask = np.random.default_rng(0).random((7, dim)) < 0.5
    packed = pack_bits(mask)
    assert packed.shape == (7, -(-dim // 8))
    np.testing.assert_array_equal(unpack_bits(packed, dim), mask)


def test_small_integer_holds_its_number():
    for largest in (0, 255, 256, 65535, 65536, 2**32):
        dtype = np.dtype(small_integer(largest))
        assert np.array(largest).astype(dtype) == largest
    assert small_integer(2**32 - 1) == "uint32"
