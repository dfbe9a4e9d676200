"""MovieLens-1M as clicks: who likes which movie, and when."""

from __future__ import annotations

import os
import pathlib
import re
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.clicks import Clicks
from keras_emb.datasets.movielens.files import find_ratings, read_ratings

__all__ = ["read_movielens_clicks"]

_LIKED_FROM = 4.0
_DAY_SECONDS, _HOUR_SECONDS = 86_400, 3_600
# The first of January 1970 was a Thursday.
_FIRST_WEEKDAY = 3
_YEAR = re.compile(r"\((\d{4})\)\s*$")


def read_movielens_clicks(folder: str | os.PathLike[str]) -> Clicks:
    """Reads MovieLens-1M with everything known of users and movies.

    A rating of 4 or 5 is a click. Fields: `user`, `gender`, `age`,
    `occupation`, `zip_region` (the first three digits), `movie`,
    `release_year`, `genres` (several a movie), `hour` and `weekday` (UTC,
    0: Monday; unknown where the time is).

    Args:
        folder: `ml-1m`, or the folder that holds it; with `ratings.dat`,
            `users.dat` and `movies.dat`.

    Returns:
        The examples in the order of the file, without duplicate pairs.

    Raises:
        ValueError: If a file is not there or holds a line that is no rating,
            user or movie; the message names file and line.
    """
    ratings = read_ratings(folder, "1m")
    source = find_ratings(folder, "1m").parent
    users = _table(source / "users.dat", 5)
    movies = _table(source / "movies.dat", 3)
    user = _places(users, ratings.user, source / "users.dat")
    movie = _places(movies, ratings.item, source / "movies.dat")
    codes: dict[str, npt.NDArray[np.int32]] = {}
    raw_ids: dict[str, npt.NDArray[Any]] = {}
    for field, place, values in (
        ("user", user, list(users)),
        ("gender", user, [row[1] for row in users.values()]),
        ("age", user, [row[2] for row in users.values()]),
        ("occupation", user, [row[3] for row in users.values()]),
        ("zip_region", user, [row[4][:3] for row in users.values()]),
        ("movie", movie, list(movies)),
        ("release_year", movie, [_year(row[1]) for row in movies.values()]),
    ):
        column: npt.NDArray[Any] = np.array(values)
        raw_ids[field], inverse = np.unique(column, return_inverse=True)
        codes[field] = inverse.astype(np.int32)[place]
    codes["genres"], raw_ids["genres"] = _genres(
        [row[2] for row in movies.values()], movie
    )
    time = np.asarray(ratings.time, np.int64)
    for field, number, count in (
        ("hour", time % _DAY_SECONDS // _HOUR_SECONDS, 24),
        ("weekday", (time // _DAY_SECONDS + _FIRST_WEEKDAY) % 7, 7),
    ):
        codes[field] = np.where(time > 0, number, -1).astype(np.int32)
        raw_ids[field] = np.arange(count)
    return Clicks(
        codes=codes,
        raw_ids=raw_ids,
        label=(ratings.rating >= _LIKED_FROM).astype(np.float32),
    )


def _table(path: pathlib.Path, columns: int) -> dict[int, list[str]]:
    """The lines of a file by the number they start with."""
    if not path.is_file():
        raise ValueError(
            f"`folder` must hold {path.name} of MovieLens-1M. "
            f"Received: no file {os.fspath(path)!r}"
        )
    table: dict[int, list[str]] = {}
    with path.open(encoding="latin-1") as file:
        for number, line in enumerate(file, start=1):
            row = line.rstrip("\r\n").split("::")
            if len(row) != columns or not row[0].isdecimal():
                raise ValueError(
                    f"{path}, line {number}: expected {columns} columns "
                    "separated by '::', the first an integer. "
                    f"Received: {line[:80].rstrip()!r}"
                )
            table[int(row[0])] = row
    return table


def _places(
    table: dict[int, list[str]],
    ids: npt.NDArray[np.int64],
    path: pathlib.Path,
) -> npt.NDArray[np.int32]:
    place = {raw: number for number, raw in enumerate(table)}
    unique, inverse = np.unique(ids, return_inverse=True)
    missing = [int(raw) for raw in unique if int(raw) not in place]
    if missing:
        raise ValueError(
            f"{path} must say who or what every rated id is. Received: "
            f"nothing on {len(missing)} ids, such as {missing[0]}"
        )
    return np.array([place[int(raw)] for raw in unique], np.int32)[inverse]


def _year(title: str) -> int:
    found = _YEAR.search(title)
    return int(found.group(1)) if found else 0


def _genres(
    texts: list[str], movie: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.str_]]:
    lists = [text.split("|") for text in texts]
    names = sorted({name for row in lists for name in row})
    padded = np.full((len(lists), max(map(len, lists))), -1, np.int32)
    for number, row in enumerate(lists):
        padded[number, : len(row)] = [names.index(name) for name in row]
    return padded[movie], np.array(names)
