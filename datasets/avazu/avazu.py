"""TFDS builder of the Avazu clicks."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from keras_emb.datasets.avazu.files import (
    AVAZU_CONFIGS,
    HASHES,
    parse_avazu,
)
from keras_emb.datasets.click_files import environment_folder

try:
    import tensorflow_datasets as tfds
except ImportError as error:
    raise ImportError(
        "The Avazu builder needs TensorFlow Datasets: "
        "pip install keras_emb[datasets]"
    ) from error

__all__ = ["AvazuClicks"]

_INTEGERS = (
    "click",
    "hour",
    "C1",
    "banner_pos",
    "device_type",
    "device_conn_type",
    *(f"C{number}" for number in range(14, 22)),
)


class AvazuClicks(tfds.core.GeneratorBasedBuilder):
    """Avazu's clicks on mobile advertisements, in the order of the file.

    The file is read from the folder named by the environment variable
    `KERAS_EMB_DATA` where it holds it, else from the manual folder of TFDS:
    Kaggle lets nobody download it without an account. All official columns
    but `id`; hashes are strings of eight hexadecimal digits.

    ```python
    builder = AvazuClicks(config="kaggle")
    builder.download_and_prepare()
    clicks = builder.as_dataset(split="train")
    ```
    """

    VERSION = tfds.core.Version("1.0.0")
    RELEASE_NOTES = {"1.0.0": "The training file of the challenge of 2014."}
    MANUAL_DOWNLOAD_INSTRUCTIONS = (
        "Put train.csv of https://www.kaggle.com/c/avazu-ctr-prediction, "
        "unpacked, into the manual folder."
    )
    BUILDER_CONFIGS = [
        tfds.core.BuilderConfig(
            name="kaggle", description="train.csv of the challenge."
        ),
        tfds.core.BuilderConfig(name="sample", description="Its head, train."),
    ]
    # TFDS looks below the folder of keras_emb, where an editable install has no
    # `datasets`.
    code_path = tfds.core.Path(__file__)
    pkg_dir_path = tfds.core.Path(__file__).parent

    def _info(self) -> Any:
        return self.dataset_info_from_configs(
            description="Clicks on mobile advertisements.",
            homepage="https://www.kaggle.com/c/avazu-ctr-prediction",
            features=tfds.features.FeaturesDict(
                {
                    **dict.fromkeys(_INTEGERS, np.int64),
                    **dict.fromkeys(HASHES, np.str_),
                }
            ),
            disable_shuffling=True,
        )

    def _split_generators(self, dl_manager: Any) -> dict[str, Any]:
        config = self.builder_config.name
        folder = environment_folder(AVAZU_CONFIGS[config])
        if folder is None:
            folder = dl_manager.manual_dir
        return {"train": self._generate_examples(folder, config)}

    def _generate_examples(
        self, folder: str, config: str
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        key = 0
        for chunk in parse_avazu(folder, config):
            names = list(chunk)
            for row in zip(*chunk.values(), strict=True):
                example: dict[str, Any] = dict(zip(names, row, strict=True))
                for name in HASHES:
                    example[name] = f"{int(example[name]):08x}"
                yield key, example
                key += 1
