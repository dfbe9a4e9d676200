"""Reads the Criteo display advertising data.

Kaggle's challenge of 2014: a week of clicks, 13 fields of counts and 26 of
hashed categories. https://www.kaggle.com/c/criteo-display-ad-challenge
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.click_files import ClickFiles, find_file
from keras_emb.datasets.clicks import Clicks
from keras_emb.datasets.delimited import MISSING, Column, read_delimited
from keras_emb.datasets.numeric_buckets import numeric_buckets, numeric_values

__all__ = [
    "CATEGORIES",
    "COUNTS",
    "CRITEO_CONFIGS",
    "criteo_clicks",
    "parse_criteo",
    "read_criteo",
]

COUNTS = tuple(f"I{number}" for number in range(1, 14))
CATEGORIES = tuple(f"C{number}" for number in range(1, 27))
CRITEO_CONFIGS = {
    "kaggle": ClickFiles("criteo", ("train.txt",), 45_840_617),
    "sample": ClickFiles("criteo", ("sample.train",), 10_000),
}
_COLUMNS = (
    Column("label", "label"),
    *(Column(name, "integer", optional=True) for name in COUNTS),
    *(Column(name, "hash", optional=True) for name in CATEGORIES),
)

_Chunks = Iterator[dict[str, npt.NDArray[Any]]]


def read_criteo(
    folder: str | os.PathLike[str],
    config: str = "kaggle",
    *,
    numeric: Literal["buckets", "values"] = "buckets",
    work_dir: str | os.PathLike[str] | None = None,
) -> Clicks:
    """Reads every example in one pass.

    Args:
        folder: The data's own folder, or one that holds it.
        config: `"kaggle"`: `train.txt`; `"sample"`: its first 10,000 lines.
        numeric: See `criteo_clicks`.
        work_dir: See `criteo_clicks`.

    Returns:
        The examples in the order of the file.

    Raises:
        ValueError: If the file is not there, is empty, or holds a line that
            is no example; the message names file and line.
    """
    return criteo_clicks(
        parse_criteo(folder, config), numeric=numeric, work_dir=work_dir
    )


def parse_criteo(folder: str | os.PathLike[str], config: str) -> _Chunks:
    """Yields the official columns of the file, chunk by chunk.

    Args:
        folder: The data's own folder, or one that holds it.
        config: `"kaggle"` or `"sample"`.

    Yields:
        `label`, `I1` to `I13`, and `C1` to `C26` as the number that the hash
        is; `MISSING` for an empty field.

    Raises:
        ValueError: As `read_criteo`.
    """
    if config not in CRITEO_CONFIGS:
        raise ValueError(
            f"`config` must be one of {list(CRITEO_CONFIGS)}. "
            f"Received: config={config!r}"
        )
    path = find_file(folder, CRITEO_CONFIGS[config])
    yield from read_delimited(path, _COLUMNS, "\t")


def criteo_clicks(
    chunks: _Chunks,
    *,
    numeric: Literal["buckets", "values"] = "buckets",
    work_dir: str | os.PathLike[str] | None = None,
) -> Clicks:
    """Makes the fields of the official columns.

    Args:
        chunks: Columns as `parse_criteo` yields them.
        numeric: `"buckets"`: a count is an id, see `numeric_buckets`;
            `"values"`: the field has one vector, multiplied by the count, see
            `numeric_values`. An empty field is an id of its own in both.
        work_dir: Where codes are kept, for files larger than memory.

    Raises:
        ValueError: If `numeric` is unknown.
    """
    if numeric not in ("buckets", "values"):
        raise ValueError(
            "`numeric` must be 'buckets' or 'values'. "
            f"Received: numeric={numeric!r}"
        )
    as_values = numeric == "values"
    return Clicks.from_chunks(
        (_fields(chunk, as_values) for chunk in chunks),
        numeric={name: f"{name}.x" for name in COUNTS} if as_values else None,
        folder=work_dir,
    )


def _fields(
    chunk: dict[str, npt.NDArray[Any]], as_values: bool
) -> dict[str, npt.NDArray[Any]]:
    fields = dict(chunk)
    for name in COUNTS:
        if as_values:
            fields[f"{name}.x"] = numeric_values(chunk[name])
            fields[name] = np.where(chunk[name] == MISSING, MISSING, 0)
        else:
            fields[name] = numeric_buckets(chunk[name])
    return fields
