"""The usual TFDS builder test, on tiny invented files."""

import os
import pathlib
import tempfile
from unittest import mock

import pytest

from keras_emb.datasets.movielens import CONFIGS
from tests.datasets.movielens.fake_files import FAKE_ROWS, write_fake_files

tfds = pytest.importorskip("tensorflow_datasets")
pytest.importorskip("dill", reason="tfds.testing needs dill")

from keras_emb.datasets.movielens.movielens import MovieLens  # noqa: E402


class TestMovieLens(tfds.testing.DatasetBuilderTestCase):
    DATASET_CLASS = MovieLens
    SPLITS = {"train": len(FAKE_ROWS)}

    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        for config in CONFIGS:
            write_fake_files(pathlib.Path(folder.name), config)
        cls.EXAMPLE_DIR = folder.name
        super().setUpClass()

    def setUp(self):
        super().setUp()
        environment = mock.patch.dict("os.environ")
        environment.start()
        self.addCleanup(environment.stop)
        # Without it the builder downloads, which the base class fakes.
        os.environ.pop("KERAS_EMB_DATA", None)
