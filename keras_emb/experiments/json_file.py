"""JSON files that are either whole or absent."""

import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["read_json", "write_json"]


def write_json(path: str | os.PathLike[str], values: Any) -> None:
    """Writes a JSON file at one stroke.

    Args:
        path: File to write; an older one is replaced.
        values: Nested dictionaries and lists of numbers and strings, NumPy's
            included. A number that is not finite becomes null.
    """
    path = Path(path)
    partial = path.with_name(f".{path.name}.partial")
    with open(partial, "w", encoding="utf-8") as file:
        json.dump(_plain(values), file, indent=2, allow_nan=False)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, path)


def read_json(path: str | os.PathLike[str]) -> Any:
    """Reads a JSON file.

    Args:
        path: File to read.

    Returns:
        What it holds.

    Raises:
        ValueError: If the file is not JSON.
    """
    try:
        with open(path, encoding="utf-8") as file:
            return json.load(file)
    except ValueError as error:
        raise ValueError(f"{path} is not a JSON file: {error}") from error


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value
