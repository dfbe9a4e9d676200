"""Loads a data set by its name."""

import inspect
import os
import pathlib
import shutil
from typing import Any, Literal

import numpy as np

from keras_emb.datasets.filters import clean
from keras_emb.datasets.interaction_stream import InteractionStream
from keras_emb.datasets.interactions import Interactions
from keras_emb.datasets.load_clicks import CLICK_DATASETS, load_clicks
from keras_emb.datasets.movielens.files import CONFIGS, read_ratings
from keras_emb.datasets.ratings import Ratings
from keras_emb.datasets.synthetic import synthetic
from keras_emb.datasets.yelp2018 import read_yelp2018

__all__ = ["available", "data_folder", "load", "load_ratings", "load_stream"]

_TFDS_BATCH = 1 << 16
_MOVIELENS = {
    f"movielens_{config.replace('-', '_')}": config for config in CONFIGS
}


def available() -> list[str]:
    """Returns the names that `load` knows.

    >>> "synthetic" in available()
    True
    """
    return sorted([*_MOVIELENS, *CLICK_DATASETS, "synthetic", "yelp2018"])


def load(
    name: str,
    *,
    split: str = "random",
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    min_item_ratings: int = 1,
    **split_args: Any,
) -> Interactions:
    """Loads, cleans and splits a data set.

    MovieLens is read from the official files in `data_dir`, or in the folder
    named by the environment variable `KERAS_EMB_DATA`; without either, through
    TensorFlow Datasets, which downloads it once. Yelp2018 is read from such a
    folder only, since its terms forbid passing it on. The synthetic data are
    always the same: `seed` changes their split only.

    The click data sets (`criteo`, `avazu`, `movielens_1m_click`, and the
    heads `criteo_sample` and `avazu_sample`) have a feature a field and are
    split at random, with the arguments of `Interactions.from_clicks` and of
    their readers: `shares`, `min_count`, `numeric`, `work_dir`.

    >>> interactions = load("synthetic", split="per_user_random", seed=1)
    >>> sorted(interactions.vocabularies)
    ['item', 'user']

    Args:
        name: One of `available()`.
        split: `"random"`, `"per_user_random"`, `"leave_one_out"` or
            `"temporal_stream"`.
        data_dir: The release's own folder, or one that holds it.
        seed: Seed of the split.
        min_item_ratings: Items with fewer ratings are dropped and counted.
        **split_args: Arguments of the split, see `keras_emb.datasets.splits`.

    Returns:
        Interactions with the features `"user"` and `"item"`, or of clicks.

    Raises:
        ValueError: For an unknown name, split or argument, missing or corrupt
            files, and data that the split refuses.
        ImportError: If the data must be downloaded and TensorFlow Datasets is
            not installed.
        ConnectionError: If the download fails.
    """
    if name in CLICK_DATASETS:
        if split != "random" or min_item_ratings != 1:
            raise ValueError(
                f"`split` of {name!r} must be 'random', and it has no "
                f"`min_item_ratings`. Received: split={split!r}, "
                f"min_item_ratings={min_item_ratings}"
            )
        return _clicks(name, data_dir, seed, **split_args)
    ratings = load_ratings(
        name, data_dir=data_dir, min_item_ratings=min_item_ratings
    )
    return Interactions.from_ratings(ratings, split, seed=seed, **split_args)


def load_stream(
    name: str,
    *,
    order: Literal["chronological", "permuted"] = "chronological",
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    min_item_ratings: int = 1,
    **stream_args: Any,
) -> InteractionStream:
    """Loads, cleans and orders a data set.

    >>> len(load_stream("synthetic", order="permuted")) > 0
    True

    Args:
        name: One of `available()`.
        order: `"chronological"` or `"permuted"`.
        data_dir: See `load`.
        seed: Seed of the permutation.
        min_item_ratings: Items with fewer ratings are dropped and counted.
        **stream_args: Further arguments of `InteractionStream.from_ratings`.

    Returns:
        A stream with the features `"user"` and `"item"`.

    Raises:
        ValueError: As `load` and `InteractionStream.from_ratings` do.
    """
    known = {*inspect.signature(InteractionStream.from_ratings).parameters}
    unknown = sorted(stream_args.keys() - known)
    if unknown:
        raise ValueError(
            "Arguments of a stream must be among "
            f"{', '.join(sorted(known - {'ratings', 'order', 'seed'}))}. "
            f"Received: {', '.join(unknown)}"
        )
    ratings = load_ratings(
        name, data_dir=data_dir, min_item_ratings=min_item_ratings
    )
    return InteractionStream.from_ratings(
        ratings, order, seed=seed, **stream_args
    )


def load_ratings(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    min_item_ratings: int = 1,
) -> Ratings:
    """Loads and cleans a data set's raw ratings.

    Args:
        name: One of `available()`.
        data_dir: See `load`.
        min_item_ratings: Items with fewer ratings are dropped and counted.

    Returns:
        The ratings, in the order of their source.

    Raises:
        ValueError: For an unknown name, missing or corrupt files.
    """
    if name == "synthetic":
        return clean(synthetic().ratings, min_item_ratings)
    if name in _MOVIELENS:
        return _movielens(_MOVIELENS[name], data_dir, min_item_ratings)
    if name == "yelp2018":
        return _yelp2018(data_dir, min_item_ratings)
    if name in CLICK_DATASETS:
        raise ValueError(
            "`name` must be a data set of ratings; this one is of clicks, "
            f"which `load` reads. Received: name={name!r}"
        )
    raise ValueError(
        f"`name` must be one of {available()}. Received: name={name!r}"
    )


def data_folder(
    data_dir: str | os.PathLike[str] | None,
) -> str | os.PathLike[str] | None:
    """The folder of the data: the one given, or else `KERAS_EMB_DATA`.

    >>> data_folder("ratings")
    'ratings'

    Args:
        data_dir: A folder, or `None`.
    """
    return data_dir or os.environ.get("KERAS_EMB_DATA")


def _clicks(
    name: str,
    data_dir: str | os.PathLike[str] | None,
    seed: int,
    *,
    shares: tuple[float, ...] = (0.8, 0.1, 0.1),
    min_count: int = 1,
    work_dir: str | os.PathLike[str] | None = None,
    **options: Any,
) -> Interactions:
    split: dict[str, Any] = {
        "shares": shares,
        "seed": seed,
        "min_count": min_count,
    }
    if work_dir is None:
        clicks = load_clicks(name, data_folder(data_dir), **options)
        return Interactions.from_clicks(clicks, **split)
    folder = pathlib.Path(work_dir)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(
            "`work_dir` must be a new or empty folder, which the data live in "
            f"as long as they are used. Received: work_dir={str(work_dir)!r}"
        )
    codes = folder / "codes"
    try:
        clicks = load_clicks(
            name, data_folder(data_dir), work_dir=codes, **options
        )
        found = Interactions.from_clicks(clicks, folder=folder, **split)
    except BaseException:
        for part in folder.glob("*"):
            shutil.rmtree(part)
        raise
    shutil.rmtree(codes)
    return found


def _movielens(
    config: str,
    data_dir: str | os.PathLike[str] | None,
    min_item_ratings: int,
) -> Ratings:
    folder = data_folder(data_dir)
    if folder:
        return read_ratings(folder, config, min_item_ratings=min_item_ratings)
    return clean(_read_with_tfds(config), min_item_ratings)


def _yelp2018(
    data_dir: str | os.PathLike[str] | None, min_item_ratings: int
) -> Ratings:
    folder = data_folder(data_dir)
    if not folder:
        raise ValueError(
            "`data_dir` or KERAS_EMB_DATA must name a folder with yelp2018/"
            "train.txt and yelp2018/test.txt, as NGCF and LightGCN released "
            "them: they may not be passed on, so there is no download. "
            f"Received: data_dir={data_dir!r}"
        )
    return read_yelp2018(folder, min_item_ratings=min_item_ratings)


def _read_with_tfds(config: str) -> Ratings:
    # First, for its hint on how to install what is missing.
    from keras_emb.datasets.movielens.movielens import MovieLens  # isort: skip
    import tensorflow_datasets as tfds

    builder = MovieLens(config=config)
    try:
        builder.download_and_prepare(
            download_config=tfds.download.DownloadConfig(try_download_gcs=False)
        )
    except OSError as error:
        raise ConnectionError(
            f"MovieLens {config} could not be downloaded ({error}). Put the "
            f"files of {CONFIGS[config].url} into a folder and name it by "
            "`data_dir` or KERAS_EMB_DATA."
        ) from error
    # One shard at a time keeps the order of the official file.
    batches = list(
        tfds.as_numpy(
            builder.as_dataset(
                split="train",
                batch_size=_TFDS_BATCH,
                read_config=tfds.ReadConfig(interleave_cycle_length=1),
            )
        )
    )
    columns = {
        name: np.concatenate([batch[name] for batch in batches])
        for name in ("user", "item", "rating", "time")
    }
    return Ratings(
        user=columns["user"],
        item=columns["item"],
        rating=columns["rating"],
        time=columns["time"],
    )
