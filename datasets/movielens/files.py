"""Reads the official MovieLens rating files.

F. M. Harper, J. A. Konstan, "The MovieLens Datasets: History and Context", ACM
TiiS 5(4), 2015. https://grouplens.org/datasets/movielens/
"""

from __future__ import annotations

import dataclasses
import io
import logging
import os
import pathlib
import warnings
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.filters import clean
from keras_emb.datasets.ratings import Ratings

__all__ = [
    "CONFIGS",
    "MovieLensFiles",
    "environment_folder",
    "find_ratings",
    "parse_ratings",
    "read_ratings",
]

_LOGGER = logging.getLogger(__name__)
_COLUMNS = ("userId", "movieId", "rating", "timestamp")
_ROW = np.dtype(
    [("user", "i8"), ("item", "i8"), ("rating", "f4"), ("time", "i8")]
)
_CHUNK_BYTES = 1 << 25
_LARGEST = float(np.finfo(np.float32).max)


@dataclasses.dataclass(frozen=True)
class MovieLensFiles:
    """How one release of MovieLens stores its ratings.

    Args:
        folder: Folder in the official archive.
        file: Ratings file in the folder.
        separator: Separator of the columns user, movie, rating, time.
        header: Whether the first line names the columns.
        num_ratings: Ratings in the official file.
    """

    folder: str
    file: str
    separator: str
    header: bool
    num_ratings: int

    @property
    def url(self) -> str:
        """Address of the official archive."""
        return (
            f"https://files.grouplens.org/datasets/movielens/{self.folder}.zip"
        )


CONFIGS = {
    "100k": MovieLensFiles("ml-100k", "u.data", "\t", False, 100_000),
    "1m": MovieLensFiles("ml-1m", "ratings.dat", "::", False, 1_000_209),
    "20m": MovieLensFiles("ml-20m", "ratings.csv", ",", True, 20_000_263),
    "25m": MovieLensFiles("ml-25m", "ratings.csv", ",", True, 25_000_095),
    "latest-small": MovieLensFiles(
        "ml-latest-small", "ratings.csv", ",", True, 100_836
    ),
}


def read_ratings(
    folder: str | os.PathLike[str],
    config: str,
    *,
    min_item_ratings: int = 1,
) -> Ratings:
    """Reads the ratings, without duplicate pairs and rare movies.

    Args:
        folder: The release's own folder, or one that holds it.
        config: `"100k"`, `"1m"`, `"20m"`, `"25m"` or `"latest-small"`.
        min_item_ratings: Movies with fewer ratings are dropped.

    Returns:
        Ratings in the order of the file; what was dropped is counted.

    Raises:
        ValueError: If the file is not there, is empty, or holds a line that is
            no rating; the message names file and line.
    """
    return clean(parse_ratings(folder, config), min_item_ratings)


def parse_ratings(folder: str | os.PathLike[str], config: str) -> Ratings:
    """Reads every line of the ratings file.

    Args:
        folder: The release's own folder, or one that holds it.
        config: `"100k"`, `"1m"`, `"20m"`, `"25m"` or `"latest-small"`.

    Returns:
        Ratings in the order of the file; a time of 0 or less is unknown, 0.

    Raises:
        ValueError: As `read_ratings`.
    """
    files = _files(config)
    path = find_ratings(folder, config)
    chunks = []
    for first_line, data in _chunks(path):
        if first_line == 1 and files.header:
            header, _, data = data.partition(b"\n")
            _check_header(path, header)
            first_line = 2
        chunks.append(_parse_chunk(path, first_line, data, files.separator))
    rows = np.concatenate(chunks) if chunks else np.empty(0, dtype=_ROW)
    if not rows.size:
        raise ValueError(
            "The ratings file must hold ratings. Received: empty file "
            f"{os.fspath(path)!r}"
        )
    if rows.size != files.num_ratings:
        _LOGGER.warning(
            "%s holds %d ratings, the official file has %d.",
            path,
            rows.size,
            files.num_ratings,
        )
    return Ratings(
        user=np.ascontiguousarray(rows["user"]),
        item=np.ascontiguousarray(rows["item"]),
        rating=np.ascontiguousarray(rows["rating"]),
        time=np.maximum(rows["time"], 0),
    )


def find_ratings(folder: str | os.PathLike[str], config: str) -> pathlib.Path:
    """Finds the ratings file of a release.

    Args:
        folder: The release's own folder, or one that holds it.
        config: `"100k"`, `"1m"`, `"20m"`, `"25m"` or `"latest-small"`.

    Returns:
        Path of the ratings file.

    Raises:
        ValueError: If `config` is unknown or the file is not there.
    """
    files = _files(config)
    root = pathlib.Path(folder).expanduser()
    candidates = [root / files.folder / files.file, root / files.file]
    others = {other.folder for other in CONFIGS.values()} - {files.folder}
    # The releases share file names, so another's folder must not be taken.
    if root.resolve().name in others:
        candidates.pop()
    for path in candidates:
        if path.is_file():
            return path
    raise ValueError(
        f"`folder` must be {files.folder!r} with {files.file!r} in it, or the "
        f"folder that holds it. Received: folder={os.fspath(folder)!r}"
    )


def environment_folder(config: str) -> str | None:
    """Returns the folder `KERAS_EMB_DATA` names, if it holds a release.

    Args:
        config: `"100k"`, `"1m"`, `"20m"`, `"25m"` or `"latest-small"`.

    Returns:
        The value of the environment variable, or `None`.
    """
    folder = os.environ.get("KERAS_EMB_DATA")
    if not folder:
        return None
    try:
        find_ratings(folder, config)
    except ValueError:
        return None
    return folder


def _files(config: str) -> MovieLensFiles:
    if config not in CONFIGS:
        raise ValueError(
            f"`config` must be one of {list(CONFIGS)}. "
            f"Received: config={config!r}"
        )
    return CONFIGS[config]


def _chunks(path: pathlib.Path) -> Iterator[tuple[int, bytes]]:
    """Yields (number of the first line, whole lines)."""
    line = 1
    rest = b""
    with path.open("rb") as file:
        while block := file.read(_CHUNK_BYTES):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            if newline:
                yield line, whole
                line += whole.count(b"\n") + 1
    if rest.strip():
        yield line, rest


def _check_header(path: pathlib.Path, header: bytes) -> None:
    text = header.decode("latin-1").strip()
    names = tuple(name.strip() for name in text.split(","))
    if names == _COLUMNS:
        return
    missing = [name for name in _COLUMNS if name not in names]
    what = f"missing columns {missing}" if missing else "other columns"
    raise ValueError(
        f"{path}, line 1: the header must be {','.join(_COLUMNS)!r}. "
        f"Received: {what} in {text[:80]!r}"
    )


def _parse_chunk(
    path: pathlib.Path, first_line: int, data: bytes, separator: str
) -> npt.NDArray[Any]:
    text = data.decode("latin-1").replace("\r\n", "\n")
    if not text:
        return np.empty(0, dtype=_ROW)
    table = text.replace("::", "\t") if separator == "::" else text
    try:
        with warnings.catch_warnings():
            # NumPy warns where it would round a decimal number to an id.
            warnings.simplefilter("error")
            rows = np.loadtxt(
                io.StringIO(table),
                dtype=_ROW,
                delimiter="\t" if separator == "::" else separator,
                comments=None,
                ndmin=1,
            )
    except (ValueError, OverflowError, Warning) as error:
        raise _first_error(path, first_line, text, separator) from error
    if rows.size != text.count("\n") + 1 or not _finite(rows["rating"]):
        raise _first_error(path, first_line, text, separator)
    return rows


def _finite(values: npt.NDArray[np.float32]) -> bool:
    return bool(np.isfinite(values).all())


def _first_error(
    path: pathlib.Path, first_line: int, text: str, separator: str
) -> ValueError:
    """Describes the first line that is no rating."""
    for number, line in enumerate(text.split("\n"), start=first_line):
        problem = _problem(line, separator)
        if problem:
            return ValueError(
                f"{path}, line {number}: {problem}. Received: {line[:80]!r}"
            )
    return ValueError(
        f"{path}: a line after {first_line - 1} is no rating of the form "
        f"{separator.join(_COLUMNS)!r}"
    )


def _problem(line: str, separator: str) -> str | None:
    fields = line.split(separator)
    if len(fields) != len(_COLUMNS):
        return (
            f"expected {len(_COLUMNS)} columns separated by {separator!r}, "
            f"found {len(fields)}"
        )
    for name, field in zip(_COLUMNS, fields, strict=True):
        try:
            value = float(field if name == "rating" else np.int64(field))
        except (ValueError, OverflowError):
            kind = "a number" if name == "rating" else "an integer"
            return f"{name} must be {kind}"
        if not abs(value) <= _LARGEST:
            return f"{name} must be finite"
    return None
