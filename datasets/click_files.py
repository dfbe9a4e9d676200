"""Finding the official files of a click data set."""

from __future__ import annotations

import dataclasses
import os
import pathlib

__all__ = ["ClickFiles", "environment_folder", "find_file"]


@dataclasses.dataclass(frozen=True)
class ClickFiles:
    """Where one release of a click data set keeps its training examples.

    Args:
        folder: Name of its folder.
        files: Names the file goes by.
        num_examples: Examples in the official file.
    """

    folder: str
    files: tuple[str, ...]
    num_examples: int


def find_file(
    folder: str | os.PathLike[str], files: ClickFiles
) -> pathlib.Path:
    """Finds the file of a release.

    Args:
        folder: The release's own folder, or one that holds it.
        files: The release.

    Returns:
        Path of the file.

    Raises:
        ValueError: If it is not there.
    """
    root = pathlib.Path(folder).expanduser()
    for parent in (root / files.folder, root):
        for name in files.files:
            if (parent / name).is_file():
                return parent / name
    names = " or ".join(repr(name) for name in files.files)
    raise ValueError(
        f"`folder` must be {files.folder!r} with {names} in it, or the folder "
        f"that holds it. Received: folder={os.fspath(folder)!r}"
    )


def environment_folder(files: ClickFiles) -> str | None:
    """Returns the folder `KERAS_EMB_DATA` names, if it holds a release.

    Args:
        files: The release.
    """
    folder = os.environ.get("KERAS_EMB_DATA")
    if not folder:
        return None
    try:
        find_file(folder, files)
    except ValueError:
        return None
    return folder
