"""Folders of SavedModels."""

import numbers
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_emb.layers.ragged_reads import RaggedReads
from keras_emb.serving.served_model import ServedModel
from keras_emb.serving.slim_saved_model import slim_saved_model

__all__ = ["new_version", "write_saved_model"]

# Names, shapes and the object graph that stand beside the weights.
_OVERHEAD_BYTES = 1 << 20


def new_version(path: str | Path, version: int | None) -> Path:
    """The folder of a version that does not exist yet.

    Args:
        path: Folder of all versions of a model.
        version: Positive integer; the next one if None.

    Returns:
        `<path>/<version>`.

    Raises:
        ValueError: If the version is no positive integer, or exists.
    """
    if version is None:
        names = (p.name for p in Path(path).glob("*") if p.name.isdecimal())
        version = 1 + max(map(int, names), default=0)
    if (
        not isinstance(version, numbers.Integral)
        or isinstance(version, bool)
        or version < 1
    ):
        raise ValueError(
            "`version` must be a positive integer. "
            f"Received: version={version!r}"
        )
    final = Path(path) / str(version)
    if final.exists():
        raise ValueError(
            "`version` must be a new one: exported models are never "
            f"overwritten. Received: version={version}, which exists at "
            f"{final}"
        )
    return final


def write_saved_model(
    archive: Any,
    served: ServedModel,
    final: Path,
    *,
    further: Sequence[tf.Variable] = (),
    finish: Callable[[Path], None] | None = None,
) -> Path:
    """Writes an archive; its folder appears when it is complete.

    Args:
        archive: A `keras.export.ExportArchive` with endpoints.
        served: Whose weights the archive holds.
        final: Folder to write, a version of a model.
        further: Variables that are stored beside the weights.
        finish: Called with the folder before it gets its name.

    Returns:
        `final`.

    Raises:
        RuntimeError: If more was written than the weights account for.
    """
    temporary = final.parent / f".{final.name}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    final.parent.mkdir(parents=True, exist_ok=True)
    try:
        # A server asks for no gradient, and a sparse matrix has none to save.
        options = tf.saved_model.SaveOptions(
            experimental_custom_gradients=False
        )
        # Here the endpoints are traced.
        with RaggedReads(rows_only=served.rows_only):
            archive.write_out(temporary, options=options, verbose=False)
        slim_saved_model(temporary)
        _check_size(served.model, further, temporary)
        if finish is not None:
            finish(temporary)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def _check_size(
    model: keras.Model, further: Sequence[tf.Variable], folder: Path
) -> None:
    weights = sum(
        int(np.prod(weight.shape)) * int(weight.value.dtype.size)
        for weight in model.weights
    )
    weights += sum(_num_bytes(variable) for variable in further)
    files = sum(
        file.stat().st_size for file in (folder / "variables").iterdir()
    )
    if files > 1.02 * weights + _OVERHEAD_BYTES:
        raise RuntimeError(
            f"The export holds {files} bytes of variables for {weights} "
            f"bytes of weights of model {model.name!r}: some are stored "
            "twice."
        )


def _num_bytes(variable: Any) -> int:
    values = variable.numpy()
    if values.dtype != object:
        return int(values.nbytes)
    # A string is stored behind its length.
    return sum(len(text) + 4 for text in values.ravel())
