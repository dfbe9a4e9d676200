"""The files of a preset: written whole, read only when undamaged."""

import contextlib
import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from keras_emb.zoo.presets import METADATA_FILE

__all__ = [
    "FORMAT",
    "check_files",
    "describe_files",
    "new_folder",
    "read_json_object",
    "read_metadata",
    "write_json_object",
]

FORMAT = 1


@contextlib.contextmanager
def new_folder(final: Path) -> Iterator[Path]:
    """A folder that gets its name when the block ends without an error.

    >>> import tempfile
    >>> final = Path(tempfile.mkdtemp()) / "mine"
    >>> with new_folder(final) as folder:
    ...     _ = (folder / METADATA_FILE).write_text("{}")
    >>> final.is_dir()
    True

    Args:
        final: Name to give it. A preset of that name is replaced.

    Raises:
        ValueError: If something else than a preset stands there.
    """
    if final.exists() and not (final / METADATA_FILE).is_file():
        raise ValueError(
            "`preset_dir` must be a new folder, or one that holds a preset, "
            f"which is replaced. Received: preset_dir={str(final)!r}"
        )
    temporary = final.with_name(f".{final.name}.{os.getpid()}.tmp")
    old = final.with_name(f".{final.name}.{os.getpid()}.old")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        with contextlib.suppress(FileNotFoundError):
            final.rename(old)
        try:
            temporary.rename(final)
        except OSError:
            old.rename(final)
            raise
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    shutil.rmtree(old, ignore_errors=True)


def describe_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Length and checksum of every file in a folder, by relative path.

    Args:
        folder: Folder of a preset.
    """
    return {
        path.relative_to(folder).as_posix(): {
            "bytes": path.stat().st_size,
            "sha256": _checksum(path),
        }
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def check_files(folder: Path, metadata: Mapping[str, Any]) -> None:
    """Makes sure that the files of a preset are those that were written.

    Args:
        folder: Folder of the preset.
        metadata: See `read_metadata`.

    Raises:
        ValueError: Naming the first file that is missing or damaged.
    """
    for name, expected in metadata["files"].items():
        path = folder / name
        if not path.is_file():
            raise ValueError(
                f"`preset` must be complete. Received: {folder}, without {name}"
            )
        if (
            path.stat().st_size != expected["bytes"]
            or _checksum(path) != expected["sha256"]
        ):
            raise ValueError(
                f"`preset` must be undamaged. Received: {folder}, whose "
                f"{name} is not the file that {METADATA_FILE} describes"
            )


def read_metadata(folder: Path) -> dict[str, Any]:
    """What a preset says about itself.

    Args:
        folder: Folder of a preset.

    Raises:
        ValueError: If it is damaged or was written by a newer keras_emb.
    """
    metadata = read_json_object(folder / METADATA_FILE)
    version = metadata.get("format")
    if not isinstance(version, int) or not isinstance(
        metadata.get("files"), dict
    ):
        raise ValueError(
            f"`preset` must hold a {METADATA_FILE} written by keras_emb. "
            f"Received: {folder}, whose file names no format and no files"
        )
    if version > FORMAT:
        raise ValueError(
            f"`preset` must be of format {FORMAT} or older; a newer "
            f"keras_emb wrote this one. Received: {folder} of format "
            f"{version}"
        )
    return metadata


def read_json_object(path: Path) -> dict[str, Any]:
    """Reads a JSON file that holds an object.

    Args:
        path: File to read.

    Raises:
        ValueError: If it is missing or something else.
    """
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ValueError(
            f"`preset` must be complete. Received: {path.parent}, without "
            f"{path.name}"
        ) from error
    except ValueError as error:
        raise ValueError(
            f"`preset` must be undamaged. Received: {path.parent}, whose "
            f"{path.name} is not JSON: {error}"
        ) from error
    if not isinstance(values, dict):
        raise ValueError(
            f"`preset` must be undamaged. Received: {path.parent}, whose "
            f"{path.name} holds no object"
        )
    return values


def write_json_object(path: Path, values: Mapping[str, Any]) -> None:
    """Writes a JSON file, one value a line.

    Args:
        path: File to write.
        values: Plain values.
    """
    text = json.dumps(values, indent=1, allow_nan=False)
    path.write_text(f"{text}\n", encoding="utf-8")


def _checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
