"""Writing models for whatever serves a SavedModel."""

from collections.abc import Mapping
from pathlib import Path

import keras

from keras_emb.serving.endpoint import Endpoint
from keras_emb.serving.popularity_endpoints import popularity_endpoints
from keras_emb.serving.served_model import ServedModel
from keras_emb.serving.write_saved_model import new_version, write_saved_model

__all__ = ["export_for_serving"]


def export_for_serving(
    model: keras.Model,
    path: str | Path,
    *,
    version: int | None = None,
    unknown_row: int | None = 0,
    input_signature: Mapping[str, keras.InputSpec] | None = None,
) -> Path:
    """Writes a model as a SavedModel that stores every weight once.

    The folder `<path>/<version>/` holds the signature `serving_default`,
    with named inputs and a dictionary of outputs, and needs no Python and no
    class of ours to be served. It appears under its name only when it is
    complete. A functional model with tables that keep count has two more:
    `observe`, which raises the counts of the ids it is given, and
    `serve_popularity`, which takes the popularity of the ids as inputs.

    Inputs that tables are fed with are int32 (int64 where the model says
    so). An id outside its tables would be an error on CPU, for the whole
    batch, and undefined elsewhere: it is answered as `unknown_row`.

    >>> import keras, tempfile
    >>> word = keras.Input((), dtype="int32", name="word")
    >>> table = keras.layers.Embedding(9, 2)
    >>> folder = export_for_serving(
    ...     keras.Model(word, table(word)), tempfile.mkdtemp()
    ... )
    >>> folder.name
    '1'

    Args:
        model: A built Keras model.
        path: Folder of all versions of the model.
        version: Positive integer, the next one by default; TensorFlow
            Serving serves the largest.
        unknown_row: Row that answers for ids without one; the vocabularies
            of `keras_emb.datasets` keep row 0 for them. None passes ids on
            as they are, for models without such a row.
        input_signature: `keras.InputSpec` with shape and dtype by name of
            the input, for models that are not functional; they are called
            with a dictionary.

    Returns:
        The folder `<path>/<version>`.

    Raises:
        ValueError: If the version exists, the model is not built, its inputs
            are not known, or `unknown_row` cannot be applied.
        RuntimeError: If more was written than the weights account for.
    """
    final = new_version(path, version)
    if not model.built and input_signature is None:
        raise ValueError(
            "`model` must be built before it can be exported. "
            f"Received: model={model.name}"
        )
    served = ServedModel(
        model, unknown_row=unknown_row, input_signature=input_signature
    )
    endpoints = {
        "serving_default": Endpoint(served, served.specs),
        **popularity_endpoints(served),
    }
    archive = keras.export.ExportArchive()
    for name, endpoint in endpoints.items():
        endpoint.add_to(archive, name)
    return write_saved_model(archive, served, final)
