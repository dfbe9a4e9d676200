"""TFDS builder of the MovieLens ratings."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_emb.datasets.movielens.files import (
    CONFIGS,
    environment_folder,
    parse_ratings,
)

try:
    import tensorflow_datasets as tfds
except ImportError as error:
    raise ImportError(
        "The MovieLens builder needs TensorFlow Datasets: "
        "pip install keras_emb[datasets]"
    ) from error

__all__ = ["MovieLens"]


class MovieLens(tfds.core.GeneratorBasedBuilder):
    """MovieLens ratings, one config a release, in the order of the file.

    The official files are read from the folder named by the environment
    variable `KERAS_EMB_DATA` where it holds them; else the archive is
    downloaded from grouplens.org, or taken from the manual folder of TFDS.
    Every line is kept: `keras_emb.datasets.load` drops the duplicate pairs.

    F. M. Harper, J. A. Konstan, "The MovieLens Datasets: History and Context",
    ACM TiiS 5(4), 2015.

    ```python
    builder = MovieLens(config="1m")
    builder.download_and_prepare()
    ratings = builder.as_dataset(split="train")
    ```
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "Ratings of 100k, 1m, 20m, 25m, latest-small."}
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(
            name=name, description=f"The ratings of {files.folder}."
        )
        for name, files in CONFIGS.items()
    ]
    # TFDS looks below the folder of keras_emb, where an editable install has no
    # `datasets`.
    code_path = tfds.core.Path(__file__)
    pkg_dir_path = tfds.core.Path(__file__).parent

    def _info(self) -> Any:
        return self.dataset_info_from_configs(
            description="Ratings of movies by users of MovieLens.",
            homepage="https://grouplens.org/datasets/movielens/",
            features=tfds.features.FeaturesDict(
                {
                    "user": np.int64,
                    "item": np.int64,
                    "rating": np.float32,
                    "time": np.int64,
                }
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        config = self.builder_config.name
        folder = environment_folder(config)
        if folder is None:
            folder = dl_manager.download_and_extract(CONFIGS[config].url)
        return {"train": self._generate_examples(folder, config)}

    def _generate_examples(
        self, folder: str, config: str
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        ratings = parse_ratings(folder, config)
        names = ("user", "item", "rating", "time")
        columns = [getattr(ratings, name) for name in names]
        for key, row in enumerate(zip(*columns, strict=True)):
            yield key, dict(zip(names, row, strict=True))
