"""Loads a click data set by its name."""

import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.avazu.files import (
    avazu_clicks,
    parse_avazu,
)
from keras_emb.datasets.clicks import Clicks
from keras_emb.datasets.criteo.files import (
    criteo_clicks,
    parse_criteo,
)
from keras_emb.datasets.delimited import MISSING
from keras_emb.datasets.movielens.clicks import read_movielens_clicks

__all__ = ["CLICK_DATASETS", "load_clicks"]

_TFDS_BATCH = 1 << 16

CLICK_DATASETS = {
    "criteo": ("criteo", "kaggle"),
    "criteo_sample": ("criteo", "sample"),
    "avazu": ("avazu", "kaggle"),
    "avazu_sample": ("avazu", "sample"),
    "movielens_1m_click": ("movielens", "1m"),
}
_OPTIONS = {
    "criteo": {"numeric", "work_dir"},
    "avazu": {"work_dir"},
    "movielens": set[str](),
}


def load_clicks(
    name: str, data_dir: str | os.PathLike[str] | None, **options: Any
) -> Clicks:
    """Loads a data set's raw clicks.

    Args:
        name: One of `CLICK_DATASETS`.
        data_dir: The data's own folder, or one that holds it; TensorFlow
            Datasets if `None`.
        **options: `numeric` for Criteo, `work_dir` for Criteo and Avazu.

    Returns:
        The examples, in the order of their source.

    Raises:
        ValueError: For an unknown name or option, missing or corrupt files.
        ImportError: If TensorFlow Datasets is needed and not installed.
        ConnectionError: If it cannot get the data.
    """
    source, config = CLICK_DATASETS[name]
    unknown = sorted(set(options) - _OPTIONS[source])
    if unknown:
        raise ValueError(
            f"Options of {name!r} must be among "
            f"{sorted(_OPTIONS[source] | {'min_count', 'shares'})}. "
            f"Received: {', '.join(unknown)}"
        )
    if source == "movielens":
        if data_dir is None:
            raise ValueError(
                "`data_dir` or KERAS_EMB_DATA must name a folder with ml-1m: "
                "ratings.dat, users.dat and movies.dat. Received: "
                "data_dir=None"
            )
        return read_movielens_clicks(data_dir)
    if source == "criteo":
        chunks = (
            parse_criteo(data_dir, config)
            if data_dir
            else _read_with_tfds(source, config)
        )
        return criteo_clicks(chunks, **options)
    chunks = (
        parse_avazu(data_dir, config)
        if data_dir
        else _read_with_tfds(source, config)
    )
    return avazu_clicks(chunks, **options)


def _read_with_tfds(
    source: str, config: str
) -> Iterator[dict[str, npt.NDArray[Any]]]:
    # First, for its hint on how to install what is missing.
    if source == "criteo":
        from keras_emb.datasets.criteo.criteo import CriteoClicks as Builder
    else:
        from keras_emb.datasets.avazu.avazu import (
            AvazuClicks as Builder,
        )
    import tensorflow_datasets as tfds

    builder = Builder(config=config)
    try:
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    # TFDS asserts that its manual folder holds something.
    except (OSError, AssertionError) as error:
        raise ConnectionError(
            f"{source} could not be downloaded ({error}). Put its file into a "
            "folder and name it by `data_dir` or KERAS_EMB_DATA."
        ) from error
    # One shard at a time keeps the order of the official file.
    batches = builder.as_dataset(
        split="train",
        batch_size=_TFDS_BATCH,
        read_config=tfds.ReadConfig(interleave_cycle_length=1),
    )
    for batch in tfds.as_numpy(batches):
        yield {
            name: _numbers(column) if column.dtype == object else column
            for name, column in batch.items()
        }


def _numbers(hashes: npt.NDArray[Any]) -> npt.NDArray[np.int64]:
    return np.array([int(h, 16) if h else MISSING for h in hashes], np.int64)
