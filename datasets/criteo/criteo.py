"""TFDS builder of the Criteo clicks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_emb.datasets.click_files import environment_folder
from keras_emb.datasets.criteo.files import (
    CATEGORIES,
    COUNTS,
    CRITEO_CONFIGS,
    parse_criteo,
)
from keras_emb.datasets.delimited import MISSING

try:
    import tensorflow_datasets as tfds
except ImportError as error:
    raise ImportError(
        "The Criteo builder needs TensorFlow Datasets: "
        "pip install keras_emb[datasets]"
    ) from error

__all__ = ["CriteoClicks"]

_URL = (
    "https://go.criteo.net/"
    "criteo-research-kaggle-display-advertising-challenge-dataset.tar.gz"
)


class CriteoClicks(tfds.core.GeneratorBasedBuilder):
    """Criteo's display advertising clicks, in the order of the file.

    The file is read from the folder named by the environment variable
    `KERAS_EMB_DATA` where it holds it; else the archive is downloaded from
    Criteo. Counts are int64 with the least one for an empty field, categories
    are strings of eight hexadecimal digits, or empty.

    ```python
    builder = CriteoClicks(config="kaggle")
    builder.download_and_prepare()
    clicks = builder.as_dataset(split="train")
    ```
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The training file of the challenge of 2014."}
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(
            name="kaggle", description="train.txt of the challenge."
        ),
        tfds.core.BuilderConfig(
            name="sample", description="Its first 10,000 lines."
        ),
    ]
    # TFDS looks below the folder of keras_emb, where an editable install has no
    # `datasets`.
    code_path = tfds.core.Path(__file__)
    pkg_dir_path = tfds.core.Path(__file__).parent

    def _info(self) -> Any:
        return self.dataset_info_from_configs(
            description="Clicks on display advertisements.",
            homepage="https://www.kaggle.com/c/criteo-display-ad-challenge",
            features=tfds.features.FeaturesDict(
                {
                    "label": np.int64,
                    **dict.fromkeys(COUNTS, np.int64),
                    **dict.fromkeys(CATEGORIES, np.str_),
                }
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        config = self.builder_config.name
        folder = environment_folder(CRITEO_CONFIGS[config])
        if folder is None:
            folder = dl_manager.download_and_extract(_URL)
        return {"train": self._generate_examples(folder, config)}

    def _generate_examples(
        self, folder: str, config: str
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        key = 0
        for chunk in parse_criteo(folder, config):
            names = list(chunk)
            for row in zip(*chunk.values(), strict=True):
                example: dict[str, Any] = dict(zip(names, row, strict=True))
                for name in CATEGORIES:
                    raw = int(example[name])
                    example[name] = "" if raw == MISSING else f"{raw:08x}"
                yield key, example
                key += 1
