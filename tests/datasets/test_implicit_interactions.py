import numpy as np
import pytest

from keras_emb.datasets import (
    ImplicitInteractions,
    Ratings,
    load_implicit,
    synthetic,
)
from keras_emb.datasets.movielens import NcfSplit

NUMBER = 8


@pytest.fixture(scope="module")
def ratings():
    planted = synthetic(num_users=40, num_items=90, num_ratings=900).ratings
    # A user too short to be held out of, and items nobody trains on.
    return Ratings(
        user=np.concatenate([planted.user, [900, 900]]),
        item=np.concatenate([planted.item, [1, 700]]),
        rating=np.concatenate([planted.rating, [3, 4]]),
        time=np.concatenate([planted.time, [5, 10**6]]),
    )


@pytest.fixture(scope="module")
def data(ratings):
    return ImplicitInteractions.leave_one_out(
        ratings, num_candidates=NUMBER, seed=3
    )


def raw_pairs(data, part):
    examples = getattr(data, part)
    return list(
        zip(
            examples.features["user"].tolist(),
            examples.features["item"].tolist(),
            strict=True,
        )
    )


def test_the_end_of_each_history_is_held_out(ratings, data):
    users = data.vocabularies["user"]
    for user in np.unique(ratings.user):
        rows = np.flatnonzero(ratings.user == user)
        row = int(users.rows([user])[0])
        times = {
            part: getattr(data, part).time[
                getattr(data, part).features["user"] == row
            ]
            for part in ("train", "validation", "test")
        }
        if len(rows) < 3:
            assert len(times["train"]) == len(rows)
            continue
        assert times["test"].tolist() == [ratings.time[rows].max()]
        wanted = max(round(0.1 * (len(rows) - 1)), 1)
        assert len(times["validation"]) == wanted
        assert times["validation"].min() > times["train"].max()
        assert times["test"] > times["validation"].max()
    for part in ("train", "validation", "test"):
        assert set(getattr(data, part).label.tolist()) == {1.0}
    assert data.split["held_out"] == "latest"


def test_lists_rank_the_held_out_item_among_others(data):
    seen = {
        part: set(raw_pairs(data, part)) for part in ("train", "validation")
    }
    test = data.candidates["test"]
    pairs = list(zip(test.user.tolist(), test.item.tolist(), strict=True))
    assert sorted(pairs) == sorted(raw_pairs(data, "test"))
    both = seen["train"] | seen["validation"] | set(pairs)
    for user, others in zip(test.user, test.others, strict=True):
        assert len(set(others.tolist())) == NUMBER
        assert not both & {(int(user), int(item)) for item in others}
    validation = data.candidates["validation"]
    assert sorted(validation.user) == sorted(test.user)
    leaked = 0
    for user, item, others in zip(
        validation.user, validation.item, validation.others, strict=True
    ):
        assert (int(user), int(item)) in seen["validation"]
        mine = {(int(user), int(other)) for other in others}
        assert not (seen["train"] | seen["validation"]) & mine
        leaked += bool(mine & set(pairs))
    assert leaked, "what the test holds out must not show in validation"


def test_the_last_validation_item_is_ranked(data):
    validation = data.validation
    for user, item in zip(
        data.candidates["validation"].user,
        data.candidates["validation"].item,
        strict=True,
    ):
        mine = validation.features["user"] == user
        last = np.argmax(np.where(mine, validation.time, -1))
        assert validation.features["item"][last] == item


def test_equal_seeds_give_equal_data(ratings, data):
    again, other = (
        ImplicitInteractions.leave_one_out(
            ratings, num_candidates=NUMBER, seed=seed
        )
        for seed in (3, 4)
    )
    for part in ("validation", "test"):
        np.testing.assert_array_equal(
            again.candidates[part].others, data.candidates[part].others
        )
        assert (
            other.candidates[part].others != data.candidates[part].others
        ).any()


def test_published_lists_are_taken_as_they_are(ratings):
    users = np.unique(ratings.user)[:5]
    rows = [np.flatnonzero(ratings.user == user)[0] for user in users]
    items = ratings.item[rows]
    negatives = np.stack([np.full(5, 1), items, np.arange(5)], axis=1)
    untimed = Ratings(ratings.user, ratings.item, ratings.rating)
    data = ImplicitInteractions.leave_one_out(
        untimed, held_out=NcfSplit(users, items, negatives)
    )
    test = data.candidates["test"]
    assert data.vocabularies["user"].raw(test.user).tolist() == users.tolist()
    assert len(data.test) == 5
    assert set(raw_pairs(data, "test")) == set(
        zip(test.user.tolist(), test.item.tolist(), strict=True)
    )
    assert not test.others[:, 1].any(), "an item does not compete with itself"
    assert data.split["held_out"] == "ncf"
    total = len(data.train) + len(data.validation) + len(data.test)
    assert total == len(ratings)
    with pytest.raises(ValueError, match="user 900 with item 2"):
        ImplicitInteractions.leave_one_out(
            untimed,
            held_out=NcfSplit(
                np.array([900]), np.array([2]), np.array([[1, 2]])
            ),
        )


def test_refuses_arguments(ratings):
    for arguments, words in (
        ({"validation_share": 0.0}, "`validation_share` must.*Received.*0.0"),
        ({"num_candidates": 0}, "`num_candidates` must.*Received.*0"),
    ):
        with pytest.raises(ValueError, match=words):
            ImplicitInteractions.leave_one_out(ratings, **arguments)
    untimed = Ratings(ratings.user, ratings.item, ratings.rating)
    with pytest.raises(ValueError, match="must have times"):
        ImplicitInteractions.leave_one_out(untimed)


def test_loads_by_name():
    data = load_implicit("synthetic", num_candidates=7, seed=2)
    assert data.candidates["validation"].others.shape[1] == 7
    assert data.absent_items("train").count.min() > 0
