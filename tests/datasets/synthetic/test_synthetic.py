import numpy as np
import pytest

from keras_emb.datasets import synthetic


def test_ranks_grow_with_popularity():
    planted = synthetic()
    for name, ranks in (
        ("user", planted.user_ranks),
        ("item", planted.item_ranks),
    ):
        counts = np.bincount(
            getattr(planted.ratings, name), minlength=len(ranks)
        )
        order = np.argsort(counts, kind="stable")
        assert (np.diff(ranks[order]) >= 0).all()
        assert ranks.max() == 32
        assert ranks.min() == 1
        assert np.sum(ranks == 32) == len(ranks) // 10
        assert np.sum(ranks == 16) == len(ranks) // 10


def test_popularity_is_a_power_law():
    planted = synthetic()
    for ids in (planted.ratings.user, planted.ratings.item):
        counts = np.sort(np.bincount(ids))[::-1]
        rank = np.arange(len(counts)) + 1.0
        middle = slice(len(counts) // 20, len(counts) // 2)
        slope = np.polyfit(np.log(rank[middle]), np.log(counts[middle]), 1)[0]
        assert -1.0 < slope < -0.5


def test_pairs_are_different_and_times_ascend():
    planted = synthetic(100, 80, 2000)
    pairs = planted.ratings.user * 80 + planted.ratings.item
    assert len(np.unique(pairs)) == len(planted.ratings) == 2000
    assert (np.diff(planted.ratings.time) > 0).all()


def test_one_coordinate_and_biases_explain_rank_one():
    planted = synthetic(60, 50, 1500, max_rank=1, noise=0.0)
    ratings = planted.ratings
    rng = np.random.default_rng(0)
    # Columns: item bias (user side 1), user bias (item side 1), product.
    user = np.c_[np.ones(60), rng.normal(size=(60, 2))]
    item = np.c_[rng.normal(size=50), np.ones(50), rng.normal(size=50)]
    for _ in range(50):
        _least_squares(user, item, ratings.user, ratings.item, 0, ratings)
        _least_squares(item, user, ratings.item, ratings.user, 1, ratings)
    predicted = np.sum(user[ratings.user] * item[ratings.item], axis=1)
    assert np.var(ratings.rating) > 0.3
    assert np.mean((predicted - ratings.rating) ** 2) < 0.01


def _least_squares(own, other, own_ids, other_ids, fixed, ratings):
    free = [column for column in range(3) if column != fixed]
    target = ratings.rating - other[other_ids, fixed]
    for row in np.unique(own_ids):
        mine = own_ids == row
        design = other[other_ids[mine]][:, free]
        own[row, free] = np.linalg.lstsq(design, target[mine], rcond=None)[0]


def test_noise_is_the_optimal_error():
    quiet = synthetic(100, 80, 2000, noise=0.0, seed=2)
    noisy = synthetic(100, 80, 2000, noise=0.5, seed=2)
    difference = noisy.ratings.rating - quiet.ratings.rating
    assert quiet.optimal_mse == 0
    assert noisy.optimal_mse == 0.25
    assert np.mean(difference**2) == pytest.approx(0.25, rel=0.1)


def test_seed_decides():
    one, same, other = (
        synthetic(100, 80, 500, seed=seed).ratings for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one.rating, same.rating)
    np.testing.assert_array_equal(one.user, same.user)
    assert not np.array_equal(one.rating, other.rating)


@pytest.mark.parametrize(
    "arguments",
    [
        {"num_users": 9},
        {"num_items": 0},
        {"num_ratings": 0},
        {"num_users": 20, "num_items": 20, "num_ratings": 201},
        {"max_rank": 0},
        {"noise": -0.1},
    ],
)
def test_refuses(arguments):
    with pytest.raises(ValueError, match=f"`{list(arguments)[-1]}` must be"):
        synthetic(**arguments)
