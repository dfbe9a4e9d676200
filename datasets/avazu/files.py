"""Reads the Avazu click data.

Kaggle's challenge of 2014: ten days of clicks on mobile advertisements.
https://www.kaggle.com/c/avazu-ctr-prediction
"""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.click_files import ClickFiles, find_file
from keras_emb.datasets.clicks import Clicks
from keras_emb.datasets.delimited import Column, read_delimited

__all__ = [
    "AVAZU_CONFIGS",
    "HASHES",
    "avazu_clicks",
    "parse_avazu",
    "read_avazu",
]

AVAZU_CONFIGS = {
    "kaggle": ClickFiles("avazu", ("train.csv",), 40_428_967),
    "sample": ClickFiles("avazu", ("train",), 8_999),
}
HASHES = (
    "site_id",
    "site_domain",
    "site_category",
    "app_id",
    "app_domain",
    "app_category",
    "device_id",
    "device_ip",
    "device_model",
)
_COLUMNS = (
    # Larger than any integer of 64 bits, and no two are the same.
    Column("id", "skip"),
    Column("click", "label"),
    Column("hour", "integer"),
    Column("C1", "integer"),
    Column("banner_pos", "integer"),
    *(Column(name, "hash") for name in HASHES),
    Column("device_type", "integer"),
    Column("device_conn_type", "integer"),
    *(Column(f"C{number}", "integer") for number in range(14, 22)),
)

_Chunks = Iterator[dict[str, npt.NDArray[Any]]]


def read_avazu(
    folder: str | os.PathLike[str],
    config: str = "kaggle",
    *,
    work_dir: str | os.PathLike[str] | None = None,
) -> Clicks:
    """Reads every example in one pass.

    Args:
        folder: The data's own folder, or one that holds it.
        config: `"kaggle"`: `train.csv`; `"sample"`: the head of it, `train`.
        work_dir: Where codes are kept, for files larger than memory.

    Returns:
        The examples in the order of the file.

    Raises:
        ValueError: If the file is not there, is empty, or holds a line that
            is no example; the message names file and line.
    """
    return avazu_clicks(parse_avazu(folder, config), work_dir=work_dir)


def parse_avazu(folder: str | os.PathLike[str], config: str) -> _Chunks:
    """Yields the official columns of the file, chunk by chunk.

    Args:
        folder: The data's own folder, or one that holds it.
        config: `"kaggle"` or `"sample"`.

    Yields:
        All columns but `id`; hashes as the number that they are.

    Raises:
        ValueError: As `read_avazu`.
    """
    if config not in AVAZU_CONFIGS:
        raise ValueError(
            f"`config` must be one of {list(AVAZU_CONFIGS)}. "
            f"Received: config={config!r}"
        )
    path = find_file(folder, AVAZU_CONFIGS[config])
    for chunk in read_delimited(path, _COLUMNS, ",", header=True):
        _check_hours(path, chunk["hour"])
        yield chunk


def avazu_clicks(
    chunks: _Chunks, *, work_dir: str | os.PathLike[str] | None = None
) -> Clicks:
    """Makes the fields of the official columns.

    The hour of the log, `YYMMDDHH`, becomes the hour of the day and the day
    of the week (0: Monday); as an id it would never come again.

    Args:
        chunks: Columns as `parse_avazu` yields them.
        work_dir: Where codes are kept, for files larger than memory.
    """
    return Clicks.from_chunks(map(_fields, chunks), folder=work_dir)


def _fields(chunk: dict[str, npt.NDArray[Any]]) -> dict[str, npt.NDArray[Any]]:
    fields = dict(chunk)
    fields["label"] = fields.pop("click")
    stamps, inverse = np.unique(fields["hour"], return_inverse=True)
    times = [_time(stamp) for stamp in stamps]
    fields["hour"] = np.array([time.hour for time in times])[inverse]
    fields["weekday"] = np.array([time.weekday() for time in times])[inverse]
    return fields


def _time(stamp: int) -> datetime.datetime:
    return datetime.datetime.strptime(f"{int(stamp):08d}", "%y%m%d%H")


def _check_hours(path: Any, hours: npt.NDArray[np.int64]) -> None:
    for stamp in np.unique(hours):
        try:
            _time(stamp)
        except ValueError as error:
            raise ValueError(
                f"{path}: hour must be of the form YYMMDDHH. "
                f"Received: {int(stamp)}"
            ) from error
