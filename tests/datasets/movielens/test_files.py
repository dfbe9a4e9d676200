import logging
import time

import numpy as np
import pytest

from keras_emb.datasets.movielens import files
from keras_emb.datasets.movielens.files import (
    CONFIGS,
    parse_ratings,
    read_ratings,
)
from tests.datasets.movielens.fake_files import (
    FAKE_ROWS,
    random_rows,
    write_fake_files,
)


@pytest.fixture
def one_million(tmp_path):
    """Writes the given lines as a ratings.dat and returns its folder."""

    def write(text):
        path = tmp_path / "ratings.dat"
        path.write_bytes(text.encode("latin-1"))
        return tmp_path

    return write


@pytest.mark.parametrize("config", CONFIGS)
def test_reads_every_layout(tmp_path, config):
    path = write_fake_files(tmp_path, config)
    for folder in (tmp_path, path.parent, str(tmp_path)):
        ratings = read_ratings(folder, config)
        columns = (ratings.user, ratings.item, ratings.rating, ratings.time)
        assert list(zip(*columns, strict=True)) == FAKE_ROWS
        assert ratings.dropped == {}


def test_reads_in_chunks_the_same(tmp_path, monkeypatch):
    rows = random_rows(400)
    for config in ("1m", "latest-small"):
        write_fake_files(tmp_path, config, rows)
        whole = parse_ratings(tmp_path, config)
        for size in (37, 64, 1000):
            monkeypatch.setattr(files, "_CHUNK_BYTES", size)
            chunked = parse_ratings(tmp_path, config)
            for name in ("user", "item", "rating", "time"):
                np.testing.assert_array_equal(
                    getattr(chunked, name), getattr(whole, name)
                )
        monkeypatch.undo()


def test_line_ends_do_not_matter(one_million):
    for text in (
        "1::2::3::4\n5::6::1::8\n",
        "1::2::3::4\n5::6::1::8",
        "1::2::3::4\r\n5::6::1::8\r\n",
    ):
        ratings = parse_ratings(one_million(text), "1m")
        np.testing.assert_array_equal(ratings.user, [1, 5])
        np.testing.assert_array_equal(ratings.time, [4, 8])


def test_releases_are_not_mixed_up(tmp_path):
    write_fake_files(tmp_path, "20m")
    with pytest.raises(ValueError, match="must be 'ml-25m'"):
        read_ratings(tmp_path / "ml-20m", "25m")
    with pytest.raises(ValueError, match="must be 'ml-latest-small'"):
        read_ratings(tmp_path, "latest-small")


def test_incomplete_file_warns(tmp_path, caplog):
    write_fake_files(tmp_path, "1m")
    with caplog.at_level(logging.WARNING):
        parse_ratings(tmp_path, "1m")
    assert "holds 7 ratings, the official file has 1000209" in caplog.text


def test_duplicates_and_rare_items_are_counted(tmp_path, caplog):
    rows = [*FAKE_ROWS, (11, 105, 1.0, 1000000000), (12, 999, 5.0, 1000000000)]
    write_fake_files(tmp_path, "100k", rows)
    with caplog.at_level(logging.WARNING):
        ratings = read_ratings(tmp_path, "100k", min_item_ratings=2)
    assert ratings.dropped == {"duplicate_pairs": 1, "rare_items": 1}
    assert "1 duplicate" in caplog.text
    mine = (ratings.user == 11) & (ratings.item == 105)
    np.testing.assert_array_equal(ratings.rating[mine], [1.0])
    assert len(parse_ratings(tmp_path, "100k")) == 9


def test_times_of_zero_and_below_are_unknown(one_million):
    folder = one_million("1::2::3::0\n1::3::3::-5\n1::4::3::7\n")
    np.testing.assert_array_equal(parse_ratings(folder, "1m").time, [0, 0, 7])


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("3::4::5", "expected 4 columns.*found 3"),
        ("3::4::5::6::7", "expected 4 columns.*found 5"),
        ("", "expected 4 columns.*found 1"),
        ("3,4,5,6", "expected 4 columns"),
        ("3::4::nan::6", "rating must be finite"),
        ("3::4::inf::6", "rating must be finite"),
        ("3::4::1e99::6", "rating must be finite"),
        ("3::4::good::6", "rating must be a number"),
        ("3::4::::6", "rating must be a number"),
        ("x::4::5::6", "userId must be an integer"),
        ("3::4.5::5::6", "movieId must be an integer"),
        ("3::::5::6", "movieId must be an integer"),
        ("3::4::5::later", "timestamp must be an integer"),
        ("99999999999999999999::4::5::6", "userId must be an integer"),
        ("3::4::5::6\x00", "timestamp must be an integer"),
    ],
)
@pytest.mark.parametrize("chunk", [16, 1 << 20])
def test_corrupt_line_is_named(one_million, monkeypatch, chunk, line, problem):
    monkeypatch.setattr(files, "_CHUNK_BYTES", chunk)
    folder = one_million(f"1::2::3::4\n5::6::1::8\n{line}\n7::8::2::9\n")
    with pytest.raises(
        ValueError, match=rf"ratings\.dat, line 3: {problem}.*Received: "
    ):
        read_ratings(folder, "1m")


@pytest.mark.parametrize("config", ["100k", "latest-small"])
def test_corrupt_line_of_other_layouts_is_named(tmp_path, config):
    path = write_fake_files(tmp_path, config)
    files_ = CONFIGS[config]
    with path.open("a") as file:
        file.write(files_.separator.join(["1", "2", "nan", "4"]) + "\n")
    line = len(FAKE_ROWS) + 1 + files_.header
    with pytest.raises(ValueError, match=f"line {line}: rating must be finite"):
        read_ratings(tmp_path, config)


@pytest.mark.parametrize(
    ("header", "problem"),
    [
        ("userId,movieId,rating", r"missing columns \['timestamp'\]"),
        ("1,2,3.0,4", "missing columns"),
        ("userId,movieId,timestamp,rating", "other columns"),
        ("userId,movieId,rating,timestamp,tag", "other columns"),
    ],
)
def test_header_must_name_the_columns(tmp_path, header, problem):
    path = write_fake_files(tmp_path, "20m")
    lines = path.read_text().splitlines()
    path.write_text("\n".join([header, *lines[1:]]))
    with pytest.raises(ValueError, match=f"line 1: the header.*{problem}"):
        read_ratings(tmp_path, "20m")


@pytest.mark.parametrize(
    ("config", "text"),
    [
        ("100k", ""),
        ("100k", "\n"),
        ("20m", ""),
        ("20m", "userId,movieId,rating,timestamp\n"),
        ("20m", "userId,movieId,rating,timestamp"),
    ],
)
def test_empty_file_is_named(tmp_path, config, text):
    path = write_fake_files(tmp_path, config)
    path.write_text(text)
    with pytest.raises(ValueError, match=f"empty file.*{path.name}"):
        read_ratings(tmp_path, config)


def test_missing_folder_and_unknown_config(tmp_path):
    with pytest.raises(ValueError, match="`folder` must be 'ml-1m' with"):
        read_ratings(tmp_path / "nowhere", "1m")
    with pytest.raises(ValueError, match="`config` must be one of.*'2m'"):
        read_ratings(tmp_path, "2m")


def test_a_hundred_thousand_lines_are_fast(one_million):
    lines = [f"{k % 997}::{k}::{k % 5 + 1}::{k + 1}\n" for k in range(100_000)]
    folder = one_million("".join(lines))
    start = time.perf_counter()
    assert len(read_ratings(folder, "1m")) == 100_000
    assert time.perf_counter() - start < 2
