"""Reads Yelp2018 as NGCF and LightGCN released it.

X. Wang, X. He, M. Wang, F. Feng, T.-S. Chua, "Neural Graph Collaborative
Filtering", SIGIR 2019, arXiv 1905.08108. A line of `train.txt` or `test.txt` is
a user and the businesses the user reviewed, integers from 0.

The terms of the Yelp dataset forbid passing it on, so there is no builder and
no download: whoever has the files puts them into a folder.
"""

import logging
import os
import pathlib
import re

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.filters import clean
from keras_emb.datasets.ratings import Ratings

__all__ = ["find_yelp2018", "parse_yelp2018", "read_yelp2018"]

_LOGGER = logging.getLogger(__name__)
_FOLDER = "yelp2018"
_NUM_PAIRS = {"train.txt": 1_237_259, "test.txt": 324_147}
_CORRUPT = re.compile(rb"[^0-9 \t\r\n]|[0-9]{19}")


def read_yelp2018(
    folder: str | os.PathLike[str], *, min_item_ratings: int = 1
) -> Ratings:
    """Reads both files as one, without duplicate pairs and rare businesses.

    The released split is given up: CIESS (Qu et al., arXiv 2304.03501) joins
    the files and splits anew, too.

    Args:
        folder: The release's own folder `yelp2018`, or one that holds it.
        min_item_ratings: Businesses with fewer reviews are dropped.

    Returns:
        Ratings of 1 without times, train before test, each in the order of its
        file; what was dropped is counted.

    Raises:
        ValueError: If a file is not there, is empty, or holds a line that is no
            user with items; the message names file and line.
    """
    return clean(parse_yelp2018(folder), min_item_ratings)


def parse_yelp2018(folder: str | os.PathLike[str]) -> Ratings:
    """Reads every pair of both files.

    Args:
        folder: The release's own folder `yelp2018`, or one that holds it.

    Returns:
        Ratings as those of `read_yelp2018`, with all pairs.

    Raises:
        ValueError: As `read_yelp2018`.
    """
    found = find_yelp2018(folder)
    parts = [_parse(found / name, count) for name, count in _NUM_PAIRS.items()]
    user, item = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Ratings(user=user, item=item, rating=np.ones(len(user), np.float32))


def find_yelp2018(folder: str | os.PathLike[str]) -> pathlib.Path:
    """Finds the folder that holds both files.

    Args:
        folder: The release's own folder `yelp2018`, or one that holds it.

    Returns:
        Path of the folder with `train.txt` and `test.txt`.

    Raises:
        ValueError: If one of the files is not there.
    """
    root = pathlib.Path(folder).expanduser()
    for path in (root / _FOLDER, root):
        if all((path / name).is_file() for name in _NUM_PAIRS):
            return path
    raise ValueError(
        f"`folder` must be {_FOLDER!r} with {' and '.join(_NUM_PAIRS)} in it, "
        "or the folder that holds it. "
        f"Received: folder={os.fspath(folder)!r}"
    )


def _parse(
    path: pathlib.Path, official: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Users and items of one file."""
    data = path.read_bytes()
    corrupt = _CORRUPT.search(data)
    if corrupt:
        raise _error(
            path,
            data,
            data.count(b"\n", 0, corrupt.start()),
            "users and items must be integers of at least 0 with at most 18 "
            "digits",
        )
    lengths = np.array([len(line.split()) for line in _lines(data)], np.int64)
    blank = np.flatnonzero(lengths == 0)
    if blank.size:
        raise _error(path, data, int(blank[0]), "a line must name its user")
    pairs = int((lengths - 1).sum())
    if not pairs:
        raise ValueError(
            f"{path} must hold users with items. Received: no such pair"
        )
    # Only digits and blanks are left, so that nothing is read in part.
    ids = np.fromstring(data, np.int64, sep=" ")
    starts = np.cumsum(lengths) - lengths
    users = ids[starts]
    _check_users(path, data, users)
    if pairs != official:
        _LOGGER.warning(
            "%s holds %d pairs, the official file has %d.",
            path,
            pairs,
            official,
        )
    return np.repeat(users, lengths - 1), np.delete(ids, starts)


def _check_users(
    path: pathlib.Path, data: bytes, users: npt.NDArray[np.int64]
) -> None:
    """Refuses a file in which a user has two lines."""
    _, first, number = np.unique(users, return_index=True, return_inverse=True)
    again = np.flatnonzero(first[number] < np.arange(len(users)))
    if again.size:
        line = int(again[0])
        raise _error(
            path,
            data,
            line,
            f"a user must have one line, {users[line]} has line "
            f"{first[number[line]] + 1} already",
        )


def _lines(data: bytes) -> list[bytes]:
    return data.removesuffix(b"\n").split(b"\n") if data.strip() else []


def _error(
    path: pathlib.Path, data: bytes, line: int, problem: str
) -> ValueError:
    text = _lines(data)[line].decode("latin-1").rstrip("\r")
    return ValueError(
        f"{path}, line {line + 1}: {problem}. Received: {text[:80]!r}"
    )
