import logging
import time

import numpy as np
import pytest

from keras_emb.datasets import read_yelp2018
from keras_emb.datasets.yelp2018 import find_yelp2018, parse_yelp2018
from tests.datasets.yelp2018.fake_files import write_fake_files

TRAIN = {0: [3, 0, 1], 2: [10], 1: [0, 12345]}
TEST = {0: [2], 1: [3, 1]}
PAIRS = [
    (0, 3),
    (0, 0),
    (0, 1),
    (2, 10),
    (1, 0),
    (1, 12345),
    (0, 2),
    (1, 3),
    (1, 1),
]


@pytest.fixture
def files(tmp_path):
    """Writes train.txt, beside a fixed test.txt, and returns the folder."""
    folder = write_fake_files(tmp_path, {}, TEST)

    def write(text):
        (folder / "train.txt").write_bytes(text)
        return tmp_path

    return write


def pairs_of(ratings):
    return list(zip(ratings.user, ratings.item, strict=True))


def test_joins_both_files(tmp_path):
    folder = write_fake_files(tmp_path, TRAIN, TEST)
    for place in (tmp_path, folder, str(tmp_path)):
        ratings = read_yelp2018(place)
        assert pairs_of(ratings) == PAIRS
        assert ratings.time is None
        assert ratings.dropped == {}
        np.testing.assert_array_equal(ratings.rating, np.ones(len(PAIRS)))


@pytest.mark.parametrize(
    "text",
    [
        b"4 5 6\n7 8\n",
        b"4 5 6\n7 8",
        b"4 5 6\r\n7 8\r\n",
        b"4  5\t6 \n7 8 \n",
        b"4 5 6\n9\n7 8\n",
    ],
)
def test_blanks_and_users_without_items_do_not_matter(files, text):
    ratings = parse_yelp2018(files(text))
    assert pairs_of(ratings)[:3] == [(4, 5), (4, 6), (7, 8)]
    assert len(ratings) == 3 + 3


def test_duplicates_and_rare_items_are_counted(tmp_path, caplog):
    write_fake_files(tmp_path, {0: [1, 2, 1], 1: [1]}, {0: [2], 1: [9]})
    with caplog.at_level(logging.WARNING):
        ratings = read_yelp2018(tmp_path, min_item_ratings=2)
    assert ratings.dropped == {"duplicate_pairs": 2, "rare_items": 2}
    assert "2 duplicate" in caplog.text
    assert pairs_of(ratings) == [(0, 1), (1, 1)]
    assert len(parse_yelp2018(tmp_path)) == 6


def test_other_counts_warn(tmp_path, caplog):
    write_fake_files(tmp_path, TRAIN, TEST)
    with caplog.at_level(logging.WARNING):
        parse_yelp2018(tmp_path)
    assert "train.txt holds 6 pairs, the official file has 1237259" in (
        caplog.text
    )
    assert "test.txt holds 3 pairs, the official file has 324147" in caplog.text


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("5 x", "must be integers of at least 0"),
        ("5 -1", "must be integers of at least 0"),
        ("-5 1", "must be integers of at least 0"),
        ("5 1.0", "must be integers of at least 0"),
        ("5,1", "must be integers of at least 0"),
        ("5 1_0", "must be integers of at least 0"),
        ("5 \xe9", "must be integers of at least 0"),
        ("5 1\x00", "must be integers of at least 0"),
        ("5 " + "9" * 19, "at most 18 digits"),
        ("", "must name its user"),
        (" \t", "must name its user"),
        ("1 8", "a user must have one line, 1 has line 1 already"),
    ],
)
def test_corrupt_line_is_named(files, line, problem):
    text = f"1 2 3\n4 5\n{line}\n6 7\n".encode("latin-1")
    with pytest.raises(
        ValueError, match=rf"train\.txt, line 3: .*{problem}.*Received: '"
    ):
        read_yelp2018(files(text))


@pytest.mark.parametrize("text", [b"", b"\n", b"  \r\n", b"4\n5\n"])
def test_empty_file_is_named(files, text):
    with pytest.raises(ValueError, match=r"train\.txt must hold users with"):
        read_yelp2018(files(text))


@pytest.mark.parametrize("name", ["train.txt", "test.txt"])
def test_missing_file(tmp_path, name):
    folder = write_fake_files(tmp_path, TRAIN, TEST)
    assert find_yelp2018(tmp_path) == find_yelp2018(folder) == folder
    (folder / name).unlink()
    for place in (tmp_path, folder, tmp_path / "nowhere"):
        with pytest.raises(
            ValueError, match=r"`folder` must be 'yelp2018' with train\.txt and"
        ):
            read_yelp2018(place)


def test_a_hundred_thousand_pairs_are_fast(files):
    lines = [
        " ".join(map(str, [user, *range(user, user + 50)]))
        for user in range(10, 2010)
    ]
    folder = files("\n".join(lines).encode())
    start = time.perf_counter()
    assert len(read_yelp2018(folder)) == 100_000 + 3
    assert time.perf_counter() - start < 2
