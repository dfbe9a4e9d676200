import numpy as np
import pytest

from keras_emb.layers import BipartiteGraph


def edges(graph):
    users = np.repeat(np.arange(graph.num_users), graph.user_degrees)
    return list(zip(users.tolist(), graph.items.tolist(), strict=True))


@pytest.mark.parametrize("seed", range(5))
def test_edges_are_the_different_pairs_in_order(seed):
    rng = np.random.default_rng(seed)
    users = rng.integers(0, 9, 60)
    items = rng.integers(0, 7, 60)
    graph = BipartiteGraph.from_pairs(users, items, 11, 8)
    pairs = sorted(set(zip(users.tolist(), items.tolist(), strict=True)))
    assert edges(graph) == pairs
    assert (graph.num_users, graph.num_items) == (11, 8)
    assert graph.num_edges == len(pairs)
    for degrees, side, rows in (
        (graph.user_degrees, 0, 11),
        (graph.item_degrees, 1, 8),
    ):
        assert degrees.dtype == np.int32
        assert degrees.tolist() == [
            sum(pair[side] == row for pair in pairs) for row in range(rows)
        ]


def test_order_and_repetitions_do_not_matter():
    one = BipartiteGraph.from_pairs([3, 0, 3, 3], [2, 5, 0, 2], 4, 6)
    other = BipartiteGraph.from_pairs([0, 3, 3], [5, 0, 2], 4, 6)
    assert edges(one) == edges(other) == [(0, 5), (3, 0), (3, 2)]


def test_first_and_last_rows_are_edges_like_others():
    graph = BipartiteGraph.from_pairs([0, 2], [0, 4], 3, 5)
    assert edges(graph) == [(0, 0), (2, 4)]


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint64", "int64"])
def test_any_type_of_integer_will_do(dtype):
    users = np.array([200, 1], dtype="uint8").astype(dtype) % 100
    items = np.array([7, 90], dtype)
    graph = BipartiteGraph.from_pairs(users, items, 100, 100)
    assert edges(graph) == sorted(zip(users.tolist(), [7, 90], strict=True))
    assert graph.items.dtype == np.int32


def test_numbers_of_rows_beyond_what_an_integer_of_32_bits_counts():
    rows = 100_000
    graph = BipartiteGraph.from_pairs([rows - 1], [rows - 2], rows, rows)
    assert edges(graph) == [(rows - 1, rows - 2)]


@pytest.mark.parametrize(
    ("users", "items", "match"),
    [
        ([], [], "`users` must be a list of integers"),
        ([0.0], [0], "`users` must be a list of integers.*float64"),
        (["a"], [0], "`users` must be a list of integers"),
        ([0], 0, "`items` must be a list of integers"),
        ([[0]], [0], r"`users` must be a list of integers.*\(1, 1\)"),
        ([-1], [0], r"`users` must be rows in 0..2.*from -1 to -1"),
        ([0, 3], [0, 0], r"`users` must be rows in 0..2.*from 0 to 3"),
        ([0], [4], r"`items` must be rows in 0..3.*from 4 to 4"),
        ([0, 1], [1], "of one length.*2 and 1"),
    ],
)
def test_refuses_what_is_no_pair_of_rows(users, items, match):
    with pytest.raises(ValueError, match=match):
        BipartiteGraph.from_pairs(users, items, 3, 4)
