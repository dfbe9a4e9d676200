"""Pretrained compact models, one folder each, and how they are found."""

import os
from pathlib import Path

__all__ = ["METADATA_FILE", "find_preset", "preset_folder", "preset_names"]

METADATA_FILE = "metadata.json"


def preset_names() -> list[str]:
    """Names of the presets that come with the library.

    >>> preset_names() == sorted(preset_names())
    True

    Returns:
        The names, sorted.
    """
    here = Path(__file__).parent
    return sorted(path.parent.name for path in here.glob(f"*/{METADATA_FILE}"))


def preset_folder(name_or_path: str | os.PathLike[str]) -> Path:
    """Where a preset stands or is to be written.

    >>> preset_folder("mine/ratings").as_posix()
    'mine/ratings'
    >>> preset_folder("ratings").parent.name
    'presets'

    Args:
        name_or_path: A bare name is one of the library's own presets;
            anything else is a path.
    """
    text = os.fspath(name_or_path)
    if isinstance(name_or_path, str) and text == os.path.basename(text):
        return Path(__file__).parent / text
    return Path(text)


def find_preset(name_or_path: str | os.PathLike[str]) -> Path:
    """The folder of a preset that is there.

    Args:
        name_or_path: Name of a preset of the library, or a folder.

    Returns:
        Its folder.

    Raises:
        ValueError: If there is none.
    """
    for folder in (preset_folder(name_or_path), Path(name_or_path)):
        if name_or_path and (folder / METADATA_FILE).is_file():
            return folder
    names = ", ".join(preset_names()) or "none"
    raise ValueError(
        "`preset` must be the name of a preset of the library or a folder "
        f"that holds one, with its {METADATA_FILE}. Names: {names}. "
        f"Received: preset={os.fspath(name_or_path)!r}"
    )
