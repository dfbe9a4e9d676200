"""The published figures of real data, where KERAS_EMB_DATA names the files."""

import functools
import os

import numpy as np
import pytest

from keras_emb.datasets import (
    Interactions,
    Ratings,
    load,
    load_implicit,
    read_ratings,
    read_yelp2018,
)
from keras_emb.datasets.movielens.files import find_ratings
from keras_emb.datasets.movielens.ncf_split import find_ncf_split
from keras_emb.datasets.yelp2018 import find_yelp2018
from keras_emb.evaluation.known_pairs import known_pairs

FIGURES = {
    "100k": (100_000, 943, 1_682),
    "1m": (1_000_209, 6_040, 3_706),
    "latest-small": (100_836, 610, 9_724),
}


def _folder() -> str:
    folder = os.environ.get("KERAS_EMB_DATA")
    if not folder:
        pytest.skip("KERAS_EMB_DATA is not set")
    return folder


@functools.cache
def _read(config) -> Ratings:
    folder = _folder()
    try:
        find_ratings(folder, config)
    except ValueError:
        pytest.skip(f"KERAS_EMB_DATA does not hold {config}")
    return read_ratings(folder, config)


@pytest.mark.parametrize("config", FIGURES)
def test_counts(config):
    ratings = _read(config)
    found = (
        len(ratings),
        len(np.unique(ratings.user)),
        len(np.unique(ratings.item)),
    )
    assert found == FIGURES[config]
    assert ratings.dropped == {}


@pytest.mark.parametrize(
    ("config", "counts"),
    [
        ("100k", [6_110, 11_370, 27_145, 34_174, 21_201]),
        ("1m", [56_174, 107_557, 261_197, 348_971, 226_310]),
    ],
)
def test_rating_counts(config, counts):
    values, found = np.unique(_read(config).rating, return_counts=True)
    np.testing.assert_array_equal(values, [1, 2, 3, 4, 5])
    np.testing.assert_array_equal(found, counts)


def test_times_and_stars():
    ratings = _read("100k")
    assert (ratings.time.min(), ratings.time.max()) == (874724710, 893286638)
    latest = _read("latest-small")
    assert (latest.rating.min(), latest.rating.max()) == (0.5, 5.0)


def test_random_split_of_one_million():
    interactions = Interactions.from_ratings(_read("1m"), "random")
    sizes = [
        len(part)
        for part in (
            interactions.train,
            interactions.validation,
            interactions.test,
        )
    ]
    assert sizes == [700_146, 200_042, 100_021]
    for counts in interactions.popularity.values():
        assert counts.sum() == 700_146


def test_rows_of_unknown_time_in_one_million():
    ratings = _read("1m")
    unknown = int(np.sum(ratings.time == 0))
    if not unknown:
        pytest.skip("every row of this copy has a time")
    with pytest.raises(ValueError, match=f"{unknown} of 1000209 rows"):
        load("movielens_1m", split="temporal_stream")
    interactions = load(
        "movielens_1m", split="leave_one_out", unknown_time="drop"
    )
    assert interactions.dropped == {"unknown_time": unknown}
    users = len(np.unique(ratings.user[ratings.time > 0]))
    assert len(interactions.test) == len(interactions.validation) == users


def test_yelp2018():
    folder = _folder()
    try:
        find_yelp2018(folder)
    except ValueError:
        pytest.skip("KERAS_EMB_DATA does not hold yelp2018")
    ratings = read_yelp2018(folder)
    assert len(ratings) == 1_237_259 + 324_147
    assert ratings.dropped == {}
    np.testing.assert_array_equal(np.unique(ratings.user), np.arange(31_668))
    np.testing.assert_array_equal(np.unique(ratings.item), np.arange(38_048))
    interactions = Interactions.from_ratings(ratings, "per_user_random")
    shares = [
        len(part) / len(ratings)
        for part in (
            interactions.train,
            interactions.validation,
            interactions.test,
        )
    ]
    np.testing.assert_allclose(shares, [0.5, 0.25, 0.25], atol=1e-3)


def test_ncf_leave_one_out():
    folder = _folder()
    if not find_ncf_split(folder, "1m"):
        pytest.skip("KERAS_EMB_DATA does not hold the split of NCF")
    data = load_implicit("movielens_1m", data_dir=folder)
    test = data.candidates["test"]
    assert len(test) == len(data.test) == 6_040
    # Held-out items among their own candidates, a slip of NCF, and items
    # without training rows do not compete.
    assert 156 <= np.count_nonzero(test.others == 0) < 3_000
    left = 1_000_209 - 6_040
    assert len(data.train) + len(data.validation) == left
    assert abs(len(data.validation) / left - 0.1) < 0.005
    known = known_pairs(data.train, len(data.vocabularies["item"]))
    item_rows = len(data.vocabularies["item"])
    for part, lists in data.candidates.items():
        users = np.repeat(lists.user, lists.others.shape[1]).astype(np.int64)
        keys = users * item_rows + lists.others.ravel()
        assert not np.isin(keys, known).any(), part
