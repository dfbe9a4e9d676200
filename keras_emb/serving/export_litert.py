"""Models for LiteRT, on phones and in browsers."""

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from keras_emb.serving.endpoint import Endpoint
from keras_emb.serving.served_model import ServedModel

__all__ = ["export_litert"]


def export_litert(
    model: keras.Model,
    path: str | Path,
    *,
    unknown_row: int | None = 0,
    input_signature: Mapping[str, keras.InputSpec] | None = None,
) -> Path:
    """Writes a model as one file for LiteRT.

    The file has the signature `serving_default` of `export_for_serving`: what
    the model predicts for rows of its tables. Only LiteRT's own operations
    are used, so that its smallest runtime loads it. It appears under its name
    only when it is complete.

    >>> import keras, tempfile
    >>> word = keras.Input((), dtype="int32", name="word")
    >>> table = keras.layers.Embedding(9, 2)
    >>> path = export_litert(
    ...     keras.Model(word, table(word)), f"{tempfile.mkdtemp()}/m.tflite"
    ... )
    >>> path.read_bytes()[4:8]
    b'TFL3'

    Args:
        model: A built Keras model.
        path: File to write.
        unknown_row: See `export_for_serving`.
        input_signature: See `export_for_serving`.

    Returns:
        The file.

    Raises:
        ValueError: If the file exists, the model cannot be exported, or it
            needs what LiteRT has not: sparse matrices, as graph models do
            (see `keras_emb.compression.precompute`), float16 and int8 values,
            or masks that are stored as bits.
    """
    path = Path(path)
    if path.exists():
        raise ValueError(
            f"`path` must be a new file. Received: {path}, which exists"
        )
    served = ServedModel(
        model, unknown_row=unknown_row, input_signature=input_signature
    )
    content = _convert(served)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.rename(path)
    finally:
        temporary.unlink(missing_ok=True)
    return path


def _convert(served: ServedModel) -> Any:
    archive = keras.export.ExportArchive()
    Endpoint(served, served.specs).add_to(archive, "serving_default")
    options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
    with tempfile.TemporaryDirectory() as folder:
        archive.write_out(folder, options=options, verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(
            folder, signature_keys=["serving_default"]
        )
        try:
            return converter.convert()
        except Exception as error:
            # The converter has no exception of its own that is public.
            found = re.search(r"(TF Select|Custom) ops: ([\w, ]+)", str(error))
            if found is None:
                raise
            raise ValueError(
                "`model` must do with the operations that LiteRT has. "
                f"Received: model={served.model.name}, which needs {found[2]}"
            ) from error
