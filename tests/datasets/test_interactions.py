import numpy as np
import pytest

from keras_emb.datasets import Examples, Interactions, Ratings, Vocabulary


def _ratings(size=500):
    rng = np.random.default_rng(0)
    return Ratings(
        user=rng.integers(0, 40, size) * 10,
        item=np.array([f"m{k}" for k in rng.zipf(1.3, size)]),
        rating=rng.uniform(1, 5, size),
        time=np.arange(1, size + 1),
        dropped={"duplicate_pairs": 2},
    )


@pytest.mark.parametrize(
    "split", ["random", "per_user_random", "leave_one_out", "temporal_stream"]
)
def test_raw_ids_come_back(split):
    ratings = _ratings()
    interactions = Interactions.from_ratings(ratings, split)
    by_time = {
        int(time): row for row, time in enumerate(np.asarray(ratings.time))
    }
    seen = {name: set() for name in ("user", "item")}
    for name in ("user", "item"):
        train = interactions.train.features[name]
        assert (train > 0).all()
        seen[name] = set(interactions.vocabularies[name].raw(train).tolist())
        raw = set(interactions.vocabularies[name].raw_ids.tolist())
        assert raw == seen[name]
    for part in (
        interactions.train,
        interactions.validation,
        interactions.test,
    ):
        rows = [by_time[int(time)] for time in part.time]
        np.testing.assert_array_equal(part.label, ratings.rating[rows])
        for name in ("user", "item"):
            raw = getattr(ratings, name)[rows].tolist()
            column = part.features[name]
            known = np.array([value in seen[name] for value in raw])
            np.testing.assert_array_equal(column > 0, known)
            np.testing.assert_array_equal(
                interactions.vocabularies[name].raw(column[known]),
                np.array(raw)[known],
            )


def test_popularity_counts_training_only():
    interactions = Interactions.from_ratings(_ratings())
    for name, counts in interactions.popularity.items():
        rows = interactions.train.features[name]
        expected = [
            np.sum(rows == row)
            for row in range(len(interactions.vocabularies[name]))
        ]
        np.testing.assert_array_equal(counts, expected)
        assert counts[0] == 0
        assert (np.diff(counts[1:]) <= 0).all()


def test_drops_and_split_are_on_record():
    interactions = Interactions.from_ratings(_ratings(), "random", seed=4)
    assert interactions.dropped == {"duplicate_pairs": 2}
    assert interactions.split["name"] == "random"
    assert interactions.split["seed"] == 4


def test_refuses_other_features_and_rows():
    good = Examples({"user": [1]}, [1.0])
    vocabularies = {"user": Vocabulary([7])}
    with pytest.raises(ValueError, match="`test` must have the features"):
        Interactions(
            good, good, Examples({"item": [1]}, [1.0]), vocabularies, {}
        )
    with pytest.raises(ValueError, match=r"`validation.features\['user'\]`"):
        Interactions(
            good, Examples({"user": [2]}, [1.0]), good, vocabularies, {}
        )
