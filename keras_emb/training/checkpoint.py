"""A stage of work on disk: all of it or none of it."""

import json
import os
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["Checkpoint"]

_FORMAT = 1


class Checkpoint:
    """One file that holds arrays and plain values, replaced in one stroke.

    A file is written beside its final name and renamed when it is complete,
    so that a process killed at any moment leaves the previous state behind.

    >>> import numpy as np, tempfile, pathlib
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "state.npz"
    >>> Checkpoint(path).save({"w": np.ones(2)}, {"epoch": 3})
    >>> arrays, values = Checkpoint(path).load()
    >>> values["epoch"]
    3

    Args:
        path: Where the file stands; the folder is made when needed.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def exists(self) -> bool:
        """Whether a state has been saved."""
        return self.path.exists()

    def save(
        self, arrays: Mapping[str, np.ndarray], values: Mapping[str, Any]
    ) -> None:
        """Replaces the state.

        Args:
            arrays: Arrays by name.
            values: Anything JSON can hold.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        # Workers that share a folder must not write into one another's file.
        temporary = self.path.with_name(f"{self.path.name}.{os.getpid()}.tmp")
        text = json.dumps({"format": _FORMAT, "values": dict(values)})
        try:
            with open(temporary, "wb") as file:
                np.savez(
                    file,
                    __values__=np.frombuffer(text.encode(), np.uint8),
                    **{f"array:{key}": value for key, value in arrays.items()},  # type: ignore[arg-type]
                )
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, self.path)
        finally:
            temporary.unlink(missing_ok=True)

    def load(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Reads the state.

        Returns:
            Arrays by name, and the plain values.

        Raises:
            ValueError: If the file is not a checkpoint of this version.
        """
        try:
            with np.load(self.path, allow_pickle=False) as file:
                content = json.loads(file["__values__"].tobytes().decode())
                arrays = {
                    key.removeprefix("array:"): file[key]
                    for key in file.files
                    if key.startswith("array:")
                }
        except (zipfile.BadZipFile, KeyError, ValueError, EOFError) as error:
            raise ValueError(
                "A checkpoint is damaged or not a checkpoint; delete it to "
                f"start this stage again. Received: path={self.path} ({error})"
            ) from error
        if content.get("format") != _FORMAT:
            raise ValueError(
                f"A checkpoint must have format {_FORMAT}. Received: "
                f"format={content.get('format')}, path={self.path}"
            )
        return arrays, content["values"]
