"""The usual TFDS builder test, on tiny invented files."""

import os
import pathlib
import tempfile
from unittest import mock

import numpy as np
import pytest

from keras_emb.datasets import load
from tests.datasets.click_lines import criteo_lines

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="tfds.testing needs dill")

from keras_emb.datasets.criteo.criteo import CriteoClicks  # noqa: E402

EXAMPLES = 30


def write_files(folder):
    lines = criteo_lines(EXAMPLES)
    (folder / "train.txt").write_text("\n".join(lines) + "\n")


class TestCriteoClicks(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = CriteoClicks
    SPLITS = {"train": EXAMPLES}
    BUILDER_CONFIG_NAMES_TO_TEST = ["kaggle"]
    # Criteo gives no checksum for its archive.
    SKIP_CHECKSUMS = True

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        write_files(pathlib.Path(folder.name))
        cls.EXAMPLE_DIR = folder.name
        super().setUpClass()

    def setUp(self):
        super().setUp()
        environment = mock.patch.dict("os.environ")
        environment.start()
        self.addCleanup(environment.stop)
        # Without it the builder downloads, which the base class fakes.
        os.environ.pop("KERAS_EMB_DATA", None)


def test_the_builder_gives_what_the_reader_gives(tmp_path, monkeypatch):
    write_files(tmp_path)
    expected = load("criteo", data_dir=tmp_path)
    monkeypatch.delenv("KERAS_EMB_DATA", raising=False)
    builder = CriteoClicks(config="kaggle", data_dir=tmp_path / "tfds")
    monkeypatch.setenv("KERAS_EMB_DATA", str(tmp_path))
    builder.download_and_prepare()
    monkeypatch.delenv("KERAS_EMB_DATA")
    with mock.patch(
        "keras_emb.datasets.criteo.criteo.CriteoClicks", lambda config: builder
    ):
        found = load("criteo")
    for name, column in expected.train.features.items():
        np.testing.assert_array_equal(found.train.features[name], column)
    np.testing.assert_array_equal(found.test.label, expected.test.label)
