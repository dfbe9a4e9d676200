import numpy as np
import pytest

from keras_emb.datasets import Ratings, splits

NAMES = ["random", "per_user_random", "leave_one_out", "temporal_stream"]


def _ratings(seed=0, size=2000, users=60):
    rng = np.random.default_rng(seed)
    return Ratings(
        user=rng.zipf(1.5, size) % users + 1000,
        item=rng.integers(0, 300, size),
        rating=rng.uniform(1, 5, size),
        # Few different times, so that ties are common.
        time=rng.integers(1, 200, size),
    )


def _parts(split):
    return split.train, split.validation, split.test


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("seed", range(3))
def test_each_row_is_in_one_part(name, seed):
    ratings = _ratings(seed)
    split, _ = splits.split_rows(ratings, name, seed=seed)
    rows = np.concatenate(_parts(split))
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(ratings)))
    assert all(part.size for part in _parts(split))


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_split(name):
    first, _ = splits.split_rows(_ratings(), name, seed=3)
    second, _ = splits.split_rows(_ratings(), name, seed=3)
    other, _ = splits.split_rows(_ratings(), name, seed=4)
    for one, two in zip(_parts(first), _parts(second), strict=True):
        np.testing.assert_array_equal(one, two)
    seeded = name in ("random", "per_user_random")
    assert np.array_equal(first.test, other.test) == (not seeded)


def test_random_has_the_shares():
    split = splits.random(_ratings(size=1000), shares=(0.5, 0.3, 0.2))
    assert [len(part) for part in _parts(split)] == [500, 300, 200]


def test_random_without_validation():
    split = splits.random(_ratings(size=1000), shares=(0.9, 0, 0.1))
    assert [len(part) for part in _parts(split)] == [900, 0, 100]


def test_per_user_random_cuts_each_user():
    ratings = _ratings()
    shares = (0.5, 0.25, 0.25)
    split = splits.per_user_random(ratings, shares=shares)
    for user in np.unique(ratings.user):
        sizes = [np.sum(ratings.user[part] == user) for part in _parts(split)]
        count = sum(sizes)
        if count < splits.MIN_USER_ROWS:
            assert sizes == [count, 0, 0]
            continue
        first, second = round(0.5 * count), round(0.75 * count)
        assert sizes == [first, second - first, count - second]


def test_per_user_random_always_leaves_training_rows():
    ratings = _ratings()
    split = splits.per_user_random(ratings, shares=(0.05, 0.05, 0.9))
    assert set(ratings.user[split.train]) == set(ratings.user)


def test_per_user_random_is_random_within_a_user():
    ratings = Ratings([1] * 1000, np.arange(1000), np.ones(1000))
    split = splits.per_user_random(ratings)
    assert abs(split.train.mean() - 499.5) < 50


def test_leave_one_out_takes_the_latest():
    ratings = Ratings(
        user=[1, 2, 1, 1, 2, 2, 3, 3, 4],
        item=[1, 2, 3, 4, 5, 6, 7, 8, 9],
        rating=np.ones(9),
        time=[30, 5, 10, 20, 5, 5, 1, 2, 1],
    )
    split = splits.leave_one_out(ratings)
    # User 2 has one time only: the order of the rows decides.
    np.testing.assert_array_equal(split.test, [0, 5])
    np.testing.assert_array_equal(split.validation, [3, 4])
    np.testing.assert_array_equal(split.train, [1, 2, 6, 7, 8])


@pytest.mark.parametrize("seed", range(3))
def test_leave_one_out_trains_on_the_past(seed):
    ratings = _ratings(seed)
    split = splits.leave_one_out(ratings)
    for row in split.test:
        same = ratings.user == ratings.user[row]
        held_out = split.validation[same[split.validation]]
        assert held_out.size == 1
        past = split.train[same[split.train]]
        assert ratings.time[past].max() <= ratings.time[held_out[0]]
        assert ratings.time[held_out[0]] <= ratings.time[row]


@pytest.mark.parametrize("seed", range(3))
def test_temporal_stream_never_looks_ahead(seed):
    ratings = _ratings(seed)
    split = splits.temporal_stream(ratings, shares=(0.6, 0.2, 0.2))
    train, validation, test = (ratings.time[part] for part in _parts(split))
    assert train.max() < validation.min()
    assert validation.max() < test.min()
    for part in (train, validation, test):
        assert (np.diff(part) >= 0).all()
    assert abs(len(train) - 0.6 * len(ratings)) < 30


def test_temporal_stream_keeps_the_order_of_ties():
    ratings = Ratings(
        user=[1, 2, 3, 4, 5],
        item=[1, 1, 1, 1, 1],
        rating=np.ones(5),
        time=[1, 1, 1, 2, 3],
    )
    split = splits.temporal_stream(ratings, shares=(0.6, 0.2, 0.2))
    np.testing.assert_array_equal(split.train, [0, 1, 2])
    np.testing.assert_array_equal(split.test, [4])


@pytest.mark.parametrize("name", ["leave_one_out", "temporal_stream"])
def test_unknown_times(name):
    known = _ratings()
    time = known.time.copy()
    time[::4] = 0
    ratings = Ratings(known.user, known.item, known.rating, time)
    with pytest.raises(ValueError, match="500 of 2000 rows of unknown time"):
        splits.split_rows(ratings, name)
    split, description = splits.split_rows(ratings, name, unknown_time="drop")
    assert split.dropped == {"unknown_time": 500}
    assert description["unknown_time"] == "drop"
    rows = np.concatenate(_parts(split))
    np.testing.assert_array_equal(np.sort(rows), np.flatnonzero(time))


@pytest.mark.parametrize("name", ["leave_one_out", "temporal_stream"])
def test_needs_times(name):
    ratings = Ratings([1, 2, 3], [1, 2, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="must have times"):
        splits.split_rows(ratings, name)
    with pytest.raises(ValueError, match="`unknown_time` must be"):
        splits.split_rows(ratings, name, unknown_time="sort")


@pytest.mark.parametrize("name", NAMES)
def test_too_few_rows(name):
    ratings = Ratings([1, 2], [1, 2], [1, 2], time=[1, 2])
    with pytest.raises(ValueError, match="part would be empty"):
        splits.split_rows(ratings, name)


def test_one_time_cannot_be_a_stream():
    ratings = Ratings([1] * 9, np.arange(9), np.ones(9), time=[7] * 9)
    with pytest.raises(ValueError, match="the train part would be empty"):
        splits.temporal_stream(ratings)


@pytest.mark.parametrize(
    "shares",
    [(0.5, 0.5), (0.5, 0.5, 0.5), (0, 0.5, 0.5), (1.5, -0.5, 0), (np.nan,) * 3],
)
@pytest.mark.parametrize("name", ["random", "per_user_random"])
def test_refuses_shares(name, shares):
    with pytest.raises(ValueError, match="`shares` must be three"):
        splits.split_rows(_ratings(), name, shares=shares)


def test_refuses_names_and_arguments():
    with pytest.raises(ValueError, match="`split` must be one of.*'nosuch'"):
        splits.split_rows(_ratings(), "nosuch")
    with pytest.raises(ValueError, match=r"among \['shares'.*folds"):
        splits.split_rows(_ratings(), "random", folds=3)


def test_description_names_every_argument():
    _, description = splits.split_rows(_ratings(), "random", seed=5)
    assert description == {
        "name": "random",
        "shares": (0.7, 0.2, 0.1),
        "seed": 5,
    }
    _, description = splits.split_rows(_ratings(), "leave_one_out", seed=5)
    assert description == {"name": "leave_one_out", "unknown_time": "refuse"}
