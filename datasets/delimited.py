"""Reads large files of short integers and hashes, fast and in one pass."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from collections.abc import Iterator, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

__all__ = ["CHUNK_BYTES", "MISSING", "Column", "read_delimited"]

CHUNK_BYTES = 1 << 22
# Stands for an empty field; no file holds it.
MISSING = int(np.iinfo(np.int64).min)
_LONGEST_INTEGER = 18
_HASH_DIGITS = 8
_NEWLINE, _RETURN, _MINUS = 10, 13, 45


@dataclasses.dataclass(frozen=True)
class Column:
    """A column of a delimited file.

    Args:
        name: Its name.
        kind: `"label"` (0 or 1), `"integer"`, `"hash"` (eight hexadecimal
            digits) or `"skip"`.
        optional: Whether it may be empty: `MISSING`.
    """

    name: str
    kind: Literal["label", "integer", "hash", "skip"]
    optional: bool = False


def read_delimited(
    path: str | os.PathLike[str],
    columns: Sequence[Column],
    separator: str,
    *,
    header: bool = False,
) -> Iterator[dict[str, npt.NDArray[np.int64]]]:
    """Yields the columns of a file, chunk by chunk.

    Args:
        path: The file.
        columns: Its columns, in order.
        separator: What stands between two of them, one character.
        header: Whether the first line names the columns.

    Yields:
        int64 arrays by column, those to skip left out.

    Raises:
        ValueError: If the file is empty, its header is another, or a line is
            not of these columns; the message names file, line and column.
    """
    path = pathlib.Path(path)
    names = [column.name for column in columns]
    empty = True
    for first_line, data in _chunks(path):
        if first_line == 1 and header:
            line, _, data = data.partition(b"\n")
            found = line.decode("latin-1").strip()
            if found != separator.join(names):
                raise ValueError(
                    f"{path}, line 1: the header must be "
                    f"{separator.join(names)!r}. Received: {found[:80]!r}"
                )
            first_line = 2
        if data:
            empty = False
            yield _parse(path, first_line, data, columns, separator)
    if empty:
        raise ValueError(
            f"The file must hold examples. Received: empty file {str(path)!r}"
        )


def _chunks(path: pathlib.Path) -> Iterator[tuple[int, bytes]]:
    """Yields (number of the first line, whole lines, each with its end)."""
    line, rest = 1, b""
    with path.open("rb") as file:
        while block := file.read(CHUNK_BYTES):
            whole, newline, rest = (rest + block).rpartition(b"\n")
            if newline:
                yield line, whole + newline
                line += whole.count(b"\n") + 1
    if rest:
        yield line, rest + b"\n"


def _parse(
    path: pathlib.Path,
    first_line: int,
    data: bytes,
    columns: Sequence[Column],
    separator: str,
) -> dict[str, npt.NDArray[np.int64]]:
    text = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((text == ord(separator)) | (text == _NEWLINE))
    lines = np.flatnonzero(text == _NEWLINE)
    width = len(columns)
    if not np.array_equal(ends[width - 1 :: width], lines):
        _refuse_widths(path, first_line, ends, lines, width, separator)
    starts = np.concatenate([[0], ends[:-1] + 1]).reshape(-1, width)
    stops = ends.reshape(-1, width).copy()
    # Lines may end as on Windows.
    stops[:, -1] -= (text[stops[:, -1] - 1] == _RETURN) & (
        stops[:, -1] > starts[:, -1]
    )
    found = {}
    for index, column in enumerate(columns):
        if column.kind == "skip":
            continue
        start, length = starts[:, index], (stops - starts)[:, index]
        read = _hashes if column.kind == "hash" else _integers
        values, valid = read(text, start, length)
        values[length == 0] = MISSING
        valid[length == 0] = column.optional
        if column.kind == "label":
            valid &= (values == 0) | (values == 1)
        if not valid.all():
            row = int(np.argmin(valid))
            field = data[start[row] : start[row] + length[row]]
            kind = {
                "label": "0 or 1",
                "integer": "an integer",
                "hash": "eight hexadecimal digits",
            }[column.kind]
            raise ValueError(
                f"{path}, line {first_line + row}: {column.name} must be "
                f"{kind}{' or empty' if column.optional else ''}. "
                f"Received: {field[:40].decode('latin-1')!r}"
            )
        found[column.name] = values
    return found


def _integers(
    text: npt.NDArray[np.uint8],
    start: npt.NDArray[np.int64],
    length: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    negative = (length > 0) & (text[start] == _MINUS)
    start, length = start + negative, length - negative
    values = np.zeros(len(start), np.int64)
    valid = (length > 0) & (length <= _LONGEST_INTEGER)
    rows = np.flatnonzero(valid)
    for place in range(int(length[rows].max(initial=0))):
        rows = rows[length[rows] > place]
        digit = text[start[rows] + place].astype(np.int64) - ord("0")
        valid[rows] &= (digit >= 0) & (digit <= 9)
        values[rows] = values[rows] * 10 + digit
    return np.where(negative, -values, values), valid


_NIBBLES = np.full(256, -1, np.int64)
for _digit in "0123456789abcdefABCDEF":
    _NIBBLES[ord(_digit)] = int(_digit, 16)


def _hashes(
    text: npt.NDArray[np.uint8],
    start: npt.NDArray[np.int64],
    length: npt.NDArray[np.int64],
) -> tuple[npt.NDArray[np.int64], npt.NDArray[Any]]:
    values = np.zeros(len(start), np.int64)
    valid = length == _HASH_DIGITS
    rows = np.flatnonzero(valid)
    for place in range(_HASH_DIGITS):
        nibble = _NIBBLES[text[start[rows] + place]]
        valid[rows] &= nibble >= 0
        values[rows] = values[rows] * 16 + nibble
    return values, valid


def _refuse_widths(
    path: pathlib.Path,
    first_line: int,
    ends: npt.NDArray[np.int64],
    lines: npt.NDArray[np.int64],
    width: int,
    separator: str,
) -> None:
    counts = np.diff(np.searchsorted(ends, lines, side="right"), prepend=0)
    row = int(np.argmax(counts != width))
    raise ValueError(
        f"{path}, line {first_line + row}: expected {width} columns separated "
        f"by {separator!r}, found {counts[row]}"
    )
