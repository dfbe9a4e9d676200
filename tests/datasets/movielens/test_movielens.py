import pathlib
import subprocess
import sys
from unittest import mock

import pytest

from keras_emb.datasets.movielens import CONFIGS
from tests.datasets.movielens.fake_files import (
    FAKE_ROWS,
    random_rows,
    write_fake_files,
)

tfds = pytest.importorskip("tensorflow_datasets")

from keras_emb.datasets.movielens.movielens import MovieLens  # noqa: E402


def test_order_of_the_file_is_kept(tmp_path, monkeypatch):
    rows = random_rows(500)
    write_fake_files(tmp_path, "1m", rows)
    monkeypatch.setenv("KERAS_EMB_DATA", str(tmp_path))
    builder = MovieLens(config="1m", data_dir=tmp_path / "tfds")
    builder.download_and_prepare()
    batch = next(
        iter(tfds.as_numpy(builder.as_dataset(split="train", batch_size=500)))
    )
    columns = (batch[name] for name in ("user", "item", "rating", "time"))
    assert list(zip(*columns, strict=True)) == rows


def test_folder_without_the_release_is_passed_over(tmp_path, monkeypatch):
    write_fake_files(tmp_path / "archive", "20m")
    monkeypatch.setenv("KERAS_EMB_DATA", str(tmp_path))
    builder = MovieLens(config="20m", data_dir=tmp_path / "tfds")
    with mock.patch.object(
        tfds.download.DownloadManager,
        "download_and_extract",
        return_value=tmp_path / "archive",
    ) as download:
        builder.download_and_prepare()
    download.assert_called_once_with(
        "https://files.grouplens.org/datasets/movielens/ml-20m.zip"
    )
    assert builder.info.splits["train"].num_examples == len(FAKE_ROWS)


def test_every_archive_has_a_checksum():
    assert set(MovieLens.url_infos) == {f.url for f in CONFIGS.values()}
    for info in MovieLens.url_infos.values():
        assert len(info.checksum) == 64
        assert info.size > 0


def test_corrupt_file_is_named_by_the_builder(tmp_path, monkeypatch):
    path = write_fake_files(tmp_path, "1m")
    path.write_text("1::2::3\n")
    monkeypatch.setenv("KERAS_EMB_DATA", str(tmp_path))
    builder = MovieLens(config="1m", data_dir=tmp_path / "tfds")
    with pytest.raises(ValueError, match=r"ratings\.dat, line 1: expected 4"):
        builder.download_and_prepare()


def test_import_without_tfds_gives_a_hint():
    code = (
        "import sys\n"
        "sys.modules['tensorflow_datasets'] = None\n"
        "import keras_emb.datasets\n"
        "try:\n"
        "    keras_emb.datasets.load('movielens_1m')\n"
        "except ImportError as error:\n"
        "    sys.exit(str(error))\n"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "HOME": str(pathlib.Path.home())},
        check=False,
    )
    assert run.returncode == 1
    assert "pip install keras_emb[datasets]" in run.stderr
