"""Columns that grow, in memory or on disk."""

from __future__ import annotations

import os
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["ColumnStore"]


class ColumnStore:
    """Takes columns piece by piece and gives them back whole.

    >>> store = ColumnStore()
    >>> store.append("user", np.array([1, 2], np.int32))
    >>> store.append("user", np.array([3], np.int32))
    >>> store.column("user")
    array([1, 2, 3], dtype=int32)

    Args:
        folder: Where the columns are written, one file each; in memory if
            `None`. It is made when needed and belongs to the caller.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self._on_disk = folder is not None
        self._folder = pathlib.Path(folder or ".")
        self._pieces: dict[str, list[npt.NDArray[Any]]] = {}
        self._rows: dict[str, int] = {}
        self._like: dict[str, npt.NDArray[Any]] = {}

    def append(self, name: str, piece: npt.NDArray[Any]) -> None:
        """Adds rows to the end of a column.

        Args:
            name: The column; a new one starts with its first piece.
            piece: Array of shape `(n, ...)`, of one type and width.
        """
        first = name not in self._rows
        self._like.setdefault(name, piece[:0])
        self._rows[name] = self._rows.get(name, 0) + len(piece)
        if not self._on_disk:
            self._pieces.setdefault(name, []).append(piece)
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with open(self._path(name), "wb" if first else "ab") as file:
            np.ascontiguousarray(piece).tofile(file)

    def column(self, name: str) -> npt.NDArray[Any]:
        """A whole column; on disk, the read-only map of its file.

        Args:
            name: A column that has been appended to.
        """
        like = self._like[name]
        if not self._on_disk:
            pieces = [np.concatenate([like, *self._pieces[name]])]
            self._pieces[name] = pieces
            return pieces[0]
        shape = (self._rows[name], *like.shape[1:])
        if not self._rows[name]:
            return like
        return np.memmap(self._path(name), like.dtype, "r", shape=shape)

    def _path(self, name: str) -> pathlib.Path:
        return self._folder / f"{name}.bin"
