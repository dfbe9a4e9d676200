import numpy as np
import pytest

from keras_emb.datasets import delimited
from keras_emb.datasets.delimited import MISSING, Column, read_delimited

COLUMNS = (
    Column("label", "label"),
    Column("count", "integer", optional=True),
    Column("id", "skip"),
    Column("site", "hash", optional=True),
    Column("place", "integer"),
)
LINES = [
    "1,5,99999999999999999999,68fd1e64,-1",
    "0,,x,,0",
    "1,-3,,FFFFFFFF,123456789012345678",
    "0,0,y,00000000,7",
]
EXPECTED = {
    "label": [1, 0, 1, 0],
    "count": [5, MISSING, -3, 0],
    "site": [0x68FD1E64, MISSING, 0xFFFFFFFF, 0],
    "place": [-1, 0, 123456789012345678, 7],
}


def read(path, **arguments):
    chunks = list(read_delimited(path, COLUMNS, ",", **arguments))
    return {
        name: np.concatenate([chunk[name] for chunk in chunks])
        for name in chunks[0]
    }


@pytest.mark.parametrize("chunk", [60, 100, 1 << 20])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [True, False])
@pytest.mark.parametrize("header", [True, False])
def test_columns_are_read(tmp_path, monkeypatch, chunk, end, last, header):
    monkeypatch.setattr(delimited, "CHUNK_BYTES", chunk)
    lines = ["label,count,id,site,place"] * header + LINES
    path = tmp_path / "file"
    path.write_bytes((end.join(lines) + end * last).encode())
    found = read(path, header=header)
    assert {name: column.tolist() for name, column in found.items()} == EXPECTED


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("1,5,x,68fd1e64", "expected 5 columns separated by ',', found 4"),
        ("1,5,x,68fd1e64,1,2", "expected 5 columns.*found 6"),
        ("", "expected 5 columns.*found 1"),
        ("2,5,x,68fd1e64,1", "label must be 0 or 1. Received: '2'"),
        (",5,x,68fd1e64,1", "label must be 0 or 1. Received: ''"),
        ("1,five,x,68fd1e64,1", "count must be an integer or empty.*'five'"),
        ("1,5.5,x,68fd1e64,1", "count must be an integer"),
        ("1,-,x,68fd1e64,1", "count must be an integer"),
        ("1,5,x,68fd1e6,1", "site must be eight hexadecimal digits or empty"),
        ("1,5,x,68fd1e6g,1", "site must be eight hexadecimal digits"),
        ("1,5,x,68fd1e64,", "place must be an integer. Received: ''"),
        ("1,5,x,68fd1e64,1234567890123456789", "place must be an integer"),
        ("1,5,x,68fd1e64,1\x00", "place must be an integer"),
    ],
)
@pytest.mark.parametrize("chunk", [50, 1 << 20])
def test_a_corrupt_line_is_named(tmp_path, monkeypatch, chunk, line, problem):
    monkeypatch.setattr(delimited, "CHUNK_BYTES", chunk)
    path = tmp_path / "file"
    path.write_text("\n".join([*LINES[:2], line, *LINES[2:]]) + "\n")
    with pytest.raises(ValueError, match=f"file, line 3: {problem}"):
        read(path)


def test_headers_and_empty_files_are_checked(tmp_path):
    path = tmp_path / "file"
    for text, header, problem in (
        ("", False, "empty file"),
        ("", True, "empty file"),
        ("label,count,id,site,place\n", True, "empty file"),
        ("label,count,site,id,place\n", True, "line 1: the header must be"),
    ):
        path.write_text(text)
        with pytest.raises(ValueError, match=problem):
            list(read_delimited(path, COLUMNS, ",", header=header))
