"""Raw ids and the table rows that stand for them."""

from __future__ import annotations

import os
import zipfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.as_ids import as_ids

__all__ = ["Vocabulary"]

_FORMAT_VERSION = 1


class Vocabulary:
    """Maps raw ids to table rows and back.

    Row 0 stands for every unknown id; the raw ids take the rows from 1 on, in
    the order given.

    Example:

    >>> vocabulary = Vocabulary([50, 7, 181])
    >>> len(vocabulary)
    4
    >>> vocabulary.rows([7, 181, 999])
    array([2, 3, 0], dtype=int32)
    >>> vocabulary.raw([1, 3])
    array([ 50, 181])

    Args:
        raw_ids: Different raw ids, integers or strings, `(n,)`, `n >= 1`.

    Raises:
        ValueError: If `raw_ids` is empty, not one-dimensional, of another type,
            or repeats an id.
    """

    def __init__(self, raw_ids: npt.ArrayLike) -> None:
        raw = as_ids(raw_ids)
        if raw.ndim != 1 or not raw.size or raw.dtype.kind not in "iuU":
            raise ValueError(
                "`raw_ids` must be a one-dimensional, non-empty array of "
                f"integers or strings. Received: raw_ids of shape {raw.shape} "
                f"and dtype {raw.dtype}"
            )
        if raw.dtype.kind != "U":
            raw = raw.astype(np.int64)
        raw = raw.copy()
        raw.setflags(write=False)
        self._raw_ids = raw
        self._order = np.argsort(raw, kind="stable")
        self._sorted = raw[self._order]
        repeated = np.flatnonzero(self._sorted[1:] == self._sorted[:-1])
        if repeated.size:
            raise ValueError(
                "`raw_ids` must not repeat an id. Received: "
                f"{self._sorted[repeated[0]]} more than once"
            )

    @classmethod
    def by_popularity(cls, raw: npt.ArrayLike) -> Vocabulary:
        """Makes the vocabulary of the ids that occur, most frequent first.

        Args:
            raw: Raw ids of the training part, one an occurrence, `(n,)`.

        Returns:
            A vocabulary in descending order of frequency, ties by raw id.
        """
        unique, counts = np.unique(as_ids(raw), return_counts=True)
        return cls(unique[np.argsort(-counts, kind="stable")])

    @property
    def raw_ids(self) -> npt.NDArray[Any]:
        """Raw ids of the rows from 1 on, `(len(self) - 1,)`, read-only."""
        return self._raw_ids

    def __len__(self) -> int:
        return len(self._raw_ids) + 1

    def rows(self, raw: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Maps raw ids to table rows.

        Args:
            raw: Raw ids of any shape, of the vocabulary's type.

        Returns:
            Rows of the same shape, int32; 0 for unknown ids.

        Raises:
            ValueError: If the ids are strings where the vocabulary has
                integers, or the other way round.
        """
        ids = as_ids(raw)
        kinds = "U" if self._raw_ids.dtype.kind == "U" else "iu"
        if ids.size and ids.dtype.kind not in kinds:
            raise ValueError(
                "`raw` must be of the vocabulary's type "
                f"({self._raw_ids.dtype}). Received: raw of dtype {ids.dtype}"
            )
        if not ids.size:
            return np.zeros(ids.shape, dtype=np.int32)
        place = np.searchsorted(self._sorted, ids)
        place = np.minimum(place, len(self._sorted) - 1)
        rows = np.where(self._sorted[place] == ids, self._order[place] + 1, 0)
        return rows.astype(np.int32)

    def raw(self, rows: npt.ArrayLike) -> npt.NDArray[Any]:
        """Maps table rows to raw ids.

        Args:
            rows: Rows of any shape, in `1..len(self) - 1`.

        Returns:
            Raw ids of the same shape.

        Raises:
            ValueError: For row 0, which stands for no single id, and for rows
                outside of the table.
        """
        index = np.asarray(rows)
        if index.size and not 1 <= index.min() <= index.max() < len(self):
            raise ValueError(
                f"`rows` must lie in 1..{len(self) - 1}; row 0 stands for "
                "unknown ids. Received: rows in "
                f"{index.min()}..{index.max()}"
            )
        return self._raw_ids[index.astype(np.int64) - 1]

    def reorder(self, order: npt.ArrayLike) -> Vocabulary:
        """Gives every id a new row.

        >>> Vocabulary([50, 7, 181]).reorder([0, 3, 1, 2]).raw_ids
        array([181,  50,   7])

        Args:
            order: The old row of each new row, `(len(self),)`; a permutation
                that leaves row 0 in its place.

        Returns:
            A new vocabulary.

        Raises:
            ValueError: If `order` is no such permutation.
        """
        old = np.asarray(order)
        if (
            old.shape != (len(self),)
            or old.dtype.kind not in "iu"
            or old[0] != 0
            or not np.array_equal(np.sort(old), np.arange(len(self)))
        ):
            raise ValueError(
                f"`order` must be a permutation of 0..{len(self) - 1} that "
                f"starts with 0. Received: order of shape {old.shape}, "
                f"starting with {old[:3].tolist()}"
            )
        return Vocabulary(self.raw(old[1:]))

    def save(self, path: str | os.PathLike[str]) -> None:
        """Writes the vocabulary to an `.npz` file, in one stroke.

        Args:
            path: File to write.
        """
        path = Path(path)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with open(temporary, "wb") as file:
                np.savez_compressed(
                    file,
                    format_version=np.array(_FORMAT_VERSION),
                    raw_ids=self._raw_ids,
                )
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Vocabulary:
        """Reads what `save` wrote.

        Args:
            path: File to read.

        Returns:
            The vocabulary.

        Raises:
            ValueError: If the file is no vocabulary of this version.
        """
        try:
            with np.load(path, allow_pickle=False) as file:
                version = int(file["format_version"])
                raw_ids = file["raw_ids"]
        except FileNotFoundError:
            raise
        except (
            EOFError,
            KeyError,
            OSError,
            TypeError,
            ValueError,
            zipfile.BadZipFile,
            zlib.error,
        ) as error:
            raise ValueError(
                "`path` must be a file written by `Vocabulary.save`. "
                f"Received: path={os.fspath(path)!r}"
            ) from error
        if version != _FORMAT_VERSION:
            raise ValueError(
                "`path` must be a vocabulary of format version "
                f"{_FORMAT_VERSION}. Received: version {version} in "
                f"path={os.fspath(path)!r}"
            )
        return cls(raw_ids)
