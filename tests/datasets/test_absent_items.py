import numpy as np
import pytest

from keras_emb.datasets import AbsentItems

USERS, ITEMS = 9, 14


@pytest.fixture(scope="module")
def pairs():
    random = np.random.default_rng(0)
    users = random.integers(0, USERS - 1, 60)
    items = random.integers(0, ITEMS, 60)
    # User 7 has everything, user 8 nothing.
    users = np.concatenate([users[users < 7], np.full(ITEMS - 1, 7)])
    items = np.concatenate([items[: len(users) - ITEMS + 1], range(1, ITEMS)])
    return users, items


@pytest.fixture(scope="module")
def absent(pairs):
    return AbsentItems(*pairs, num_users=USERS, num_items=ITEMS)


def without(pairs, user):
    mine = {int(i) for u, i in zip(*pairs, strict=True) if u == user}
    return sorted(set(range(1, ITEMS)) - mine)


def test_numbers_all_absent_items_of_every_user(pairs, absent):
    for user in range(USERS):
        expected = without(pairs, user)
        assert absent.count[user] == len(expected)
        ranks = np.arange(len(expected))
        found = absent.at(np.full(len(expected), user), ranks)
        assert found.tolist() == expected
    assert absent.count[7] == 0
    assert absent.count[8] == ITEMS - 1


def test_draws_are_uniform_over_absent_items(pairs, absent):
    users = np.tile([2, 5, 8], (20_000, 1))
    drawn = absent.draw(users, np.random.default_rng(1))
    assert drawn.shape == users.shape
    for column, user in enumerate([2, 5, 8]):
        expected = without(pairs, user)
        counts = np.bincount(drawn[:, column], minlength=ITEMS)
        assert counts[expected].sum() == 20_000
        share = counts[expected] / 20_000 * len(expected)
        np.testing.assert_allclose(share, 1, atol=0.12)


def test_equal_chance_gives_equal_draws(absent):
    users = np.array([[1, 2], [3, 8]])
    draws = [absent.draw(users, np.random.default_rng(s)) for s in (4, 4, 5)]
    np.testing.assert_array_equal(draws[0], draws[1])
    assert (draws[0] != draws[2]).any()


def test_samples_are_different_items(pairs, absent):
    users = [1, 8, 7, 3]
    found = absent.sample(users, 12, np.random.default_rng(2))
    assert found.shape == (4, 12)
    for user, line in zip(users, found, strict=True):
        items = line[line > 0].tolist()
        assert len(set(items)) == len(items) == min(12, absent.count[user])
        assert set(items) <= set(without(pairs, user))
    assert not found[2].any()


def test_refuses_what_is_not_there(absent):
    with pytest.raises(ValueError, match="`ranks` must.*Received: 13 for"):
        absent.at([8], [13])
    with pytest.raises(ValueError, match="Received: -1 for"):
        absent.at([8], [-1])
    with pytest.raises(ValueError, match="a user with all 13"):
        absent.draw([1, 7], np.random.default_rng(0))
    with pytest.raises(ValueError, match="`items` must be rows in 0..4"):
        AbsentItems([0], [5], num_users=1, num_items=5)
    with pytest.raises(ValueError, match="columns of one length"):
        AbsentItems([0, 0], [1], num_users=1, num_items=5)
