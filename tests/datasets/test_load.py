import functools
from unittest import mock

import numpy as np
import pytest

from keras_emb.datasets import available, load, load_stream
from keras_emb.datasets.load_clicks import CLICK_DATASETS
from tests.datasets.movielens.fake_files import random_rows, write_fake_files
from tests.datasets.yelp2018 import fake_files as yelp2018

NAMES = [
    "movielens_100k",
    "movielens_1m",
    "movielens_20m",
    "movielens_25m",
    "movielens_latest_small",
]


@pytest.fixture(autouse=True)
def no_data_folder(monkeypatch):
    monkeypatch.delenv("KERAS_EMB_DATA", raising=False)


def _config(name):
    return name.removeprefix("movielens_").replace("_", "-")


def _same(one, two):
    for part in ("train", "validation", "test"):
        first, second = getattr(one, part), getattr(two, part)
        np.testing.assert_array_equal(first.label, second.label)
        np.testing.assert_array_equal(first.time, second.time)
        for name, rows in first.features.items():
            np.testing.assert_array_equal(rows, second.features[name])


def test_available_names():
    ratings = [*NAMES, "synthetic", "yelp2018"]
    assert available() == sorted([*ratings, *CLICK_DATASETS])


@pytest.mark.parametrize("name", NAMES)
def test_reads_the_official_files(tmp_path, monkeypatch, name):
    write_fake_files(tmp_path, _config(name), random_rows(200))
    interactions = load(name, data_dir=tmp_path, shares=(0.5, 0.3, 0.2))
    sizes = [
        len(part)
        for part in (
            interactions.train,
            interactions.validation,
            interactions.test,
        )
    ]
    assert sizes == [100, 60, 40]
    monkeypatch.setenv("KERAS_EMB_DATA", str(tmp_path))
    _same(load(name, shares=(0.5, 0.3, 0.2)), interactions)


def test_yelp2018_is_split_anew(tmp_path, monkeypatch):
    lists = {user: range(user, user + 6) for user in range(10)}
    yelp2018.write_fake_files(tmp_path, lists, {0: [20, 21], 3: [22, 23]})
    interactions = load(
        "yelp2018", data_dir=tmp_path, split="per_user_random", seed=1
    )
    assert len(interactions.train) == 8 * 3 + 2 * 4
    assert len(interactions.validation) + len(interactions.test) == 32
    assert set(interactions.train.label) == {1.0}
    assert interactions.train.time is None
    monkeypatch.setenv("KERAS_EMB_DATA", str(tmp_path))
    _same(load("yelp2018", split="per_user_random", seed=1), interactions)


@pytest.mark.parametrize(
    "split", ["random", "per_user_random", "leave_one_out", "temporal_stream"]
)
def test_every_split_by_name(tmp_path, split):
    write_fake_files(tmp_path, "1m", random_rows(400))
    interactions = load("movielens_1m", data_dir=tmp_path, split=split, seed=3)
    assert interactions.split["name"] == split


def test_rare_items_are_dropped(tmp_path):
    rows = [*random_rows(200), (1, 999, 3.0, 1000000000)]
    write_fake_files(tmp_path, "1m", rows)
    interactions = load("movielens_1m", data_dir=tmp_path, min_item_ratings=2)
    assert interactions.dropped["rare_items"] >= 1
    assert 999 not in interactions.vocabularies["item"].raw_ids


def test_without_a_folder_tfds_gives_the_same(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    rows = [*random_rows(300), (1, 1, 2.0, 1000000000)]
    write_fake_files(tmp_path / "archive", "latest-small", rows)
    module = pytest.importorskip("keras_emb.datasets.movielens.movielens")
    builder = functools.partial(module.MovieLens, data_dir=tmp_path / "tfds")
    monkeypatch.setattr(module, "MovieLens", builder)
    monkeypatch.setattr(
        tfds.download.DownloadManager,
        "download_and_extract",
        mock.Mock(return_value=tmp_path / "archive"),
    )
    downloaded = load("movielens_latest_small", seed=2)
    direct = load(
        "movielens_latest_small", data_dir=tmp_path / "archive", seed=2
    )
    _same(downloaded, direct)
    assert downloaded.dropped == direct.dropped


def test_failed_download_says_what_to_do(tmp_path, monkeypatch):
    tfds = pytest.importorskip("tensorflow_datasets")
    module = pytest.importorskip("keras_emb.datasets.movielens.movielens")
    builder = functools.partial(module.MovieLens, data_dir=tmp_path)
    monkeypatch.setattr(module, "MovieLens", builder)
    monkeypatch.setattr(
        tfds.download.DownloadManager,
        "download_and_extract",
        mock.Mock(side_effect=OSError("no route")),
    )
    with pytest.raises(ConnectionError, match="no route.*`data_dir`"):
        load("movielens_1m")


def test_synthetic_changes_its_split_with_the_seed():
    one, same, other = (load("synthetic", seed=seed) for seed in (0, 0, 1))
    _same(one, same)
    assert not np.array_equal(one.test.time, other.test.time)
    total = [
        np.sort(np.concatenate([i.train.time, i.validation.time, i.test.time]))
        for i in (one, other)
    ]
    np.testing.assert_array_equal(*total)


def test_refuses(tmp_path):
    with pytest.raises(ValueError, match="one of.*movielens_1m.*'movielens'"):
        load("movielens")
    with pytest.raises(ValueError, match="`folder` must be 'ml-1m'"):
        load("movielens_1m", data_dir=tmp_path)
    with pytest.raises(ValueError, match="`folder` must be 'yelp2018'"):
        load("yelp2018", data_dir=tmp_path)
    with pytest.raises(ValueError, match="yelp2018/train.txt.*no download"):
        load("yelp2018")
    with pytest.raises(ValueError, match="`split` must be one of"):
        load("synthetic", split="by_genre")
    with pytest.raises(ValueError, match="Received: depth"):
        load("synthetic", depth=3)


def test_arguments_a_stream_does_not_know_are_named():
    with pytest.raises(ValueError, match="capacity.*Received: capacty"):
        load_stream("synthetic", capacty=3)
