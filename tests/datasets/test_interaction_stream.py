import numpy as np
import pytest

from keras_emb.datasets import InteractionStream, Ratings, load_stream
from keras_emb.datasets.timed_rows import timed_rows
from tests.datasets.movielens.fake_files import random_rows, write_fake_files


def make(size=300, seed=0, unknown=False):
    random = np.random.default_rng(seed)
    # Few different times, so that ties are common.
    time = random.integers(1, 40, size)
    if unknown:
        time[::5] = 0
    return Ratings(
        user=random.integers(100, 130, size),
        item=random.integers(0, 50, size).astype(str),
        rating=np.arange(size),
        time=time,
        dropped={"duplicate_pairs": 2},
    )


def assert_rows_of_first_sight(rows, raw):
    """Row n belongs to the n-th different id that comes up."""
    known = {}
    for key in raw.tolist():
        known.setdefault(key, len(known) + 1)
    assert rows.tolist() == [known[key] for key in raw.tolist()]


def test_chronological_keeps_the_order_of_ties():
    ratings = make()
    stream = InteractionStream.from_ratings(ratings)
    order = np.lexsort((np.arange(300), ratings.time))
    # The rating is the place in the source.
    np.testing.assert_array_equal(stream.rating, order)
    np.testing.assert_array_equal(stream.time, ratings.time[order])
    for name in ("user", "item"):
        raw = getattr(ratings, name)[order]
        assert_rows_of_first_sight(stream.features[name], raw)
    assert stream.order == {"name": "chronological", "unknown_time": "refuse"}
    assert stream.dropped == {"duplicate_pairs": 2}
    assert len(stream) == 300


def test_permuted_is_a_permutation_of_its_seed():
    ratings = make(unknown=True)
    one, same, other = (
        InteractionStream.from_ratings(ratings, "permuted", seed=seed)
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one.rating, same.rating)
    assert (one.rating != other.rating).any()
    np.testing.assert_array_equal(np.sort(one.rating), np.arange(300))
    assert np.abs(one.rating[:100].mean() - 150) < 40
    order = one.rating.astype(int)
    for name in ("user", "item"):
        raw = getattr(ratings, name)[order]
        assert_rows_of_first_sight(one.features[name], raw)
    assert one.time is None
    assert one.order == {"name": "permuted", "seed": 0}


def test_rows_of_unknown_time_are_refused_or_dropped():
    ratings = make(unknown=True)
    with pytest.raises(ValueError, match="60 of 300 rows of unknown time"):
        InteractionStream.from_ratings(ratings)
    stream = InteractionStream.from_ratings(ratings, unknown_time="drop")
    assert stream.dropped == {"duplicate_pairs": 2, "unknown_time": 60}
    assert len(stream) == 240
    assert (stream.time > 0).all() and (np.diff(stream.time) >= 0).all()


def test_capacity_is_just_enough_unless_given():
    ratings = make()
    stream = InteractionStream.from_ratings(ratings)
    for name, vocabulary in stream.vocabularies.items():
        different = len(np.unique(getattr(ratings, name)))
        assert vocabulary.capacity == len(vocabulary) == different + 1
        assert stream.features[name].max() == different
    larger = InteractionStream.from_ratings(ratings, capacity={"user": 99})
    assert larger.vocabularies["user"].capacity == 99
    np.testing.assert_array_equal(
        larger.features["item"], stream.features["item"]
    )


def test_ids_beyond_the_capacity():
    ratings = make()
    with pytest.raises(ValueError, match="at most 9 new ids"):
        InteractionStream.from_ratings(ratings, capacity={"item": 10})
    stream = InteractionStream.from_ratings(
        ratings, capacity={"item": 10}, overflow="unknown"
    )
    assert set(stream.features["item"]) == set(range(10))


def test_a_stream_must_fit_its_vocabularies():
    stream = InteractionStream.from_ratings(make())
    for rows in (stream.features["user"] + 40, stream.features["user"][1:]):
        with pytest.raises(ValueError, match="must be 300 rows in 0"):
            InteractionStream(
                {"user": rows}, stream.rating, None, stream.vocabularies, {}
            )


@pytest.mark.parametrize(
    ("ratings", "arguments", "message"),
    [
        (make(), {"order": "backwards"}, "`order` must be.*'backwards'"),
        (make(), {"unknown_time": "sort"}, "`unknown_time` must be"),
        (Ratings([1], [1], [1]), {}, "must have times"),
        (
            make().take(np.arange(0)),
            {"order": "permuted"},
            "at least one row.*Received: 0 rows",
        ),
    ],
)
def test_refuses(ratings, arguments, message):
    with pytest.raises(ValueError, match=message):
        InteractionStream.from_ratings(ratings, **arguments)


def test_a_stream_without_rows_is_refused():
    ratings = Ratings([1, 2], [1, 2], [1, 2], time=[0, 0])
    with pytest.raises(ValueError, match="at least one row.*'unknown_time': 2"):
        InteractionStream.from_ratings(ratings, unknown_time="drop")


def test_timed_rows_keep_the_order_of_the_source():
    ratings = Ratings([1, 2, 3, 4], [1] * 4, [1] * 4, time=[9, 0, 3, 5])
    rows, time, dropped = timed_rows(ratings, "drop")
    assert rows.tolist() == [0, 2, 3]
    assert time.tolist() == [9, 3, 5]
    assert dropped == {"unknown_time": 1}


def test_load_stream_reads_files(tmp_path, monkeypatch):
    monkeypatch.delenv("KERAS_EMB_DATA", raising=False)
    rows = [*random_rows(200), (1, 999, 3.0, 1000000000)]
    write_fake_files(tmp_path, "1m", rows)
    stream = load_stream(
        "movielens_1m",
        data_dir=tmp_path,
        min_item_ratings=2,
        capacity={"user": 60},
    )
    counts = {}
    for _, item, _, _ in rows:
        counts[item] = counts.get(item, 0) + 1
    kept = [row for row in rows if counts[row[1]] > 1]
    expected = sorted(kept, key=lambda row: row[3])
    assert stream.dropped == {"rare_items": len(rows) - len(kept)}
    assert stream.rating.tolist() == [row[2] for row in expected]
    raw = stream.vocabularies["item"].vocabulary().raw(stream.features["item"])
    assert raw.tolist() == [row[1] for row in expected]
    assert stream.vocabularies["user"].capacity == 60


def test_load_stream_permutes_by_its_seed():
    one, same, other = (
        load_stream("synthetic", order="permuted", seed=seed)
        for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(one.features["user"], same.features["user"])
    assert (one.rating != other.rating).any()
    with pytest.raises(ValueError, match="one of.*'netflix'"):
        load_stream("netflix")
