import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import BipartiteGraph
from keras_emb.training import TripletSampler

ITEMS = 6

# User 0 has nothing, 1 all but one, 2 all, 3 one, 4 some, 5 nothing.
CHOSEN = {
    1: [1, 2, 4, 5],
    2: [1, 2, 3, 4, 5],
    3: [3],
    4: [1, 5],
}


def graph_of(chosen, users=6, items=ITEMS):
    pairs = [(user, item) for user, own in chosen.items() for item in own]
    return BipartiteGraph.from_pairs(*zip(*pairs, strict=True), users, items)


def draw(sampler, seed=(0, 0, 0), count=6000):
    return np.stack(sampler(np.array(seed), count), axis=1)


def triplets_of(chosen, items=ITEMS, first=1):
    return {
        (user, positive, negative)
        for user, own in chosen.items()
        for positive in own
        for negative in range(first, items)
        if negative not in own
    }


def test_draws_every_triplet_there_is_and_no_other():
    found = draw(TripletSampler(graph_of(CHOSEN)))
    assert found.shape == (6000, 3)
    assert found.dtype == np.int32
    assert {tuple(row) for row in found.tolist()} == triplets_of(CHOSEN)
    assert set(found[:, 0]) == {1, 3, 4}


@pytest.mark.parametrize("count", range(1, 8))
def test_every_set_of_items_a_user_may_have(count):
    """All users at once: one for every set of `count` items of seven."""
    sets = [
        [item for item in range(1, 8) if number >> (item - 1) & 1]
        for number in range(2**7)
    ]
    chosen = {user: own for user, own in enumerate(sets) if len(own) == count}
    sampler = None
    if count == 7:
        with pytest.raises(ValueError, match="without another"):
            TripletSampler(graph_of(chosen, 2**7, 8))
        return
    sampler = TripletSampler(graph_of(chosen, 2**7, 8))
    found = draw(sampler, count=40_000)
    expected = triplets_of(chosen, items=8)
    assert {tuple(row) for row in found.tolist()} == expected


def assert_uniform(values, outcomes):
    """No outcome is five standard deviations from its share."""
    counts = np.array([(values == outcome).sum() for outcome in outcomes])
    assert counts.sum() == len(values)
    share = 1 / len(outcomes)
    spread = np.sqrt(len(values) * share * (1 - share))
    assert np.abs(counts - len(values) * share).max() <= 5 * spread


def test_users_are_uniform_and_so_are_the_items_of_each():
    found = draw(TripletSampler(graph_of(CHOSEN)), seed=(3, 1, 0), count=30_000)
    assert_uniform(found[:, 0], [1, 3, 4])
    for user, own in CHOSEN.items():
        rows = found[found[:, 0] == user]
        others = [item for item in range(1, ITEMS) if item not in own]
        if others:
            assert_uniform(rows[:, 1], own)
            assert_uniform(rows[:, 2], others)
    # Positives say nothing about negatives.
    pairs = found[found[:, 0] == 4]
    assert_uniform(pairs[:, 1] * 10 + pairs[:, 2], [12, 13, 14, 52, 53, 54])


def test_a_large_graph():
    rng = np.random.default_rng(0)
    users, items = rng.integers(1, 500, 20_000), rng.integers(1, 900, 20_000)
    graph = BipartiteGraph.from_pairs(users, items, 500, 900)
    pairs = set(zip(users.tolist(), items.tolist(), strict=True))
    found = draw(TripletSampler(graph), count=50_000).tolist()
    assert all((user, positive) in pairs for user, positive, _ in found)
    assert not any((user, negative) in pairs for user, _, negative in found)
    assert {negative for *_, negative in found} == set(range(1, 900))


@pytest.mark.parametrize("reserved", [0, 1, 3])
def test_reserved_items_are_no_negatives(reserved):
    chosen = {0: [3, 5], 1: [4]}
    sampler = TripletSampler(graph_of(chosen, 2), reserved_items=reserved)
    found = {tuple(row) for row in draw(sampler).tolist()}
    assert found == triplets_of(chosen, first=reserved)


def test_equal_seeds_draw_equally_and_others_do_not():
    sampler = TripletSampler(graph_of(CHOSEN))
    draws = {}
    for seed in (
        (0, 0, 0),
        (1, 0, 0),
        (0, 1, 0),
        (0, 0, 1),
        (0, 1, 1),
        (7919, 0, 0),
        (2**31 - 1, 3, 1),
    ):
        draws[seed] = draw(sampler, seed)
        np.testing.assert_array_equal(
            draws[seed], draw(TripletSampler(graph_of(CHOSEN)), seed)
        )
    for seed, rows in draws.items():
        for other, others in draws.items():
            # Three users: a third of the rows would agree by chance.
            same = (rows[:, 0] == others[:, 0]).mean()
            assert seed == other or same < 0.4


@pytest.mark.parametrize("seed", [(0, 0, 0), (2**31 - 1, 5, 3)])
def test_a_graph_and_xla_draw_as_eager_mode_does(seed):
    sampler = TripletSampler(graph_of(CHOSEN))
    expected = draw(sampler, seed, 500)
    for jit_compile in (False, True):
        call = tf.function(sampler, jit_compile=jit_compile)
        found = np.stack(call(tf.constant(seed), 500), axis=1)
        np.testing.assert_array_equal(found, expected)


def test_refuses_graphs_it_cannot_draw_from():
    with pytest.raises(ValueError, match="item 0 with reserved_items=1"):
        TripletSampler(graph_of({0: [0, 2]}))
    with pytest.raises(ValueError, match="with an item and without another"):
        TripletSampler(graph_of({2: [1, 2, 3, 4, 5]}))
