"""Writing models for whatever serves a SavedModel."""

import numbers
import re
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_emb.layers import find_tables, table_features
from keras_emb.layers.feature_consumers import feature_consumers
from keras_emb.serving.popularity_endpoints import add_popularity_endpoints

__all__ = ["export_for_serving"]

# Names, shapes and the object graph that stand beside the weights.
_OVERHEAD_BYTES = 1 << 20


def export_for_serving(
    model: keras.Model,
    path: str | Path,
    *,
    version: int = 1,
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
        version: Positive integer; TensorFlow Serving serves the largest.
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
    path = Path(path)
    if (
        not isinstance(version, numbers.Integral)
        or isinstance(version, bool)
        or version < 1
    ):
        raise ValueError(
            "`version` must be a positive integer. "
            f"Received: version={version!r}"
        )
    if not model.built and input_signature is None:
        raise ValueError(
            "`model` must be built before it can be exported. "
            f"Received: model={model.name}"
        )
    final = path / str(version)
    if final.exists():
        raise ValueError(
            "`version` must be a new one: exported models are never "
            f"overwritten. Received: version={version}, which exists at "
            f"{final}"
        )
    specs = _input_specs(model, input_signature)
    rows = _rows_by_input(model, specs, unknown_row)

    def known(name: str, ids: Any) -> Any:
        if name not in rows:
            return ids
        return _known_ids(ids, rows[name], unknown_row)

    def serve(inputs: Mapping[str, Any]) -> dict[str, Any]:
        rows_of = {name: known(name, inputs[name]) for name in specs}
        return _named_outputs(model, _call(model, rows_of))

    archive = keras.export.ExportArchive()
    archive.add_endpoint("serving_default", serve, input_signature=[specs])
    counting = _counting_tables(model)
    if counting:
        add_popularity_endpoints(archive, serve, known, specs, counting)
    temporary = path / f".{version}.tmp"
    shutil.rmtree(temporary, ignore_errors=True)
    path.mkdir(parents=True, exist_ok=True)
    try:
        # A server asks for no gradient, and a sparse matrix has none to save.
        options = tf.saved_model.SaveOptions(
            experimental_custom_gradients=False
        )
        archive.write_out(temporary, options=options, verbose=False)
        _check_size(model, temporary)
        temporary.rename(final)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    return final


def _input_specs(
    model: keras.Model, signature: Mapping[str, keras.InputSpec] | None
) -> dict[str, tf.TensorSpec]:
    if signature is not None:
        return {
            name: tf.TensorSpec(
                spec.shape, keras.backend.standardize_dtype(spec.dtype), name
            )
            for name, spec in signature.items()
        }
    consumers = feature_consumers(model)
    if consumers is None:
        raise ValueError(
            "`input_signature` must be given for a model that is not "
            f"functional. Received: model={model.name}"
        )
    return {
        name: tf.TensorSpec(
            (None, *tensor.shape[1:]),
            "int32"
            if consumers[tensor._keras_history.operation.name].tables
            and "int" not in tensor.dtype
            else tensor.dtype,
            name,
        )
        for name, tensor in _model_inputs(model).items()
    }


def _model_inputs(model: keras.Model) -> dict[str, Any]:
    """Symbolic inputs of a functional model by the name they are fed by."""
    structure = _input_structure(model)
    if isinstance(structure, dict) and not any(
        keras.tree.is_nested(item) for item in structure.values()
    ):
        return dict(structure)
    return {
        tensor._keras_history.operation.name: tensor for tensor in model.inputs
    }


def _input_structure(model: keras.Model) -> Any:
    sequential = isinstance(model, keras.Sequential)
    return model.inputs[0] if sequential else model.input


def _call(model: keras.Model, named: Mapping[str, Any]) -> Any:
    if feature_consumers(model) is None:
        return model(dict(named), training=False)
    names = {id(tensor): name for name, tensor in _model_inputs(model).items()}
    inputs = keras.tree.map_structure(
        lambda tensor: named[names[id(tensor)]], _input_structure(model)
    )
    # Not through `__call__`: its name scope would be part of every name.
    return model.call(inputs, training=False)


def _rows_by_input(
    model: keras.Model,
    specs: Mapping[str, tf.TensorSpec],
    unknown_row: int | None,
) -> dict[str, int]:
    """Number of rows of the smallest table each input looks up."""
    if unknown_row is None:
        return {}
    consumers = feature_consumers(model)
    if consumers is None:
        raise ValueError(
            "`unknown_row` can only be applied to a functional model, where "
            "the tables of an input can be seen; give None. "
            f"Received: unknown_row={unknown_row}, model={model.name}"
        )
    declared = _declared_tables(model)
    rows = {}
    for name, tensor in _model_inputs(model).items():
        tables = [
            *consumers[tensor._keras_history.operation.name].tables,
            *declared.get(name, ()),
        ]
        if tables:
            rows[name] = min(
                int(getattr(t, "vocabulary_size", None) or t.input_dim)
                for t in tables
            )
    if rows and not 0 <= unknown_row < min(rows.values()):
        raise ValueError(
            "`unknown_row` must be a row of every table, between 0 and "
            f"{min(rows.values()) - 1}. Received: unknown_row={unknown_row}"
        )
    return rows


def _declared_tables(model: keras.Model) -> dict[str, list[Any]]:
    """Tables by the input that the model itself says belongs to them."""
    # A graph model reads whole tables: its ids pick rows of what comes out.
    found: dict[str, list[Any]] = {}
    if isinstance(getattr(model, "table_features", None), Mapping):
        tables = find_tables(model)
        for name, feature in table_features(model).items():
            # A table of several features guards its ids itself.
            if isinstance(feature, str):
                found.setdefault(feature, []).append(tables[name])
    return found


def _counting_tables(model: keras.Model) -> dict[str, list[Any]]:
    """Tables that keep count, by the input they are fed with."""
    consumers = feature_consumers(model)
    if consumers is None:
        return {}
    found = {
        name: [
            table
            for table in consumers[tensor._keras_history.operation.name].tables
            if hasattr(table, "given_popularity")
        ]
        for name, tensor in _model_inputs(model).items()
    }
    return {name: tables for name, tables in found.items() if tables}


def _known_ids(ids: Any, rows: int, unknown_row: int | None) -> Any:
    known = (ids >= 0) & (ids < rows)
    return tf.where(known, ids, tf.cast(unknown_row, ids.dtype))


def _named_outputs(model: keras.Model, outputs: Any) -> dict[str, Any]:
    if isinstance(outputs, Mapping):
        return dict(outputs)
    flat = keras.tree.flatten(outputs)
    names = list(getattr(model, "output_names", None) or [])
    if len(names) != len(flat):
        names = [f"output_{number}" for number in range(len(flat))]
    if len(flat) == 1:
        return {_single_name(model): flat[0]}
    return dict(zip(names, flat, strict=True))


def _single_name(model: keras.Model) -> str:
    """The name somebody gave the last layer, or `"output"`."""
    if not hasattr(model, "outputs") or not model.outputs:
        return "output"
    layer = model.outputs[0]._keras_history.operation
    kind = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", type(layer).__name__)
    automatic = re.fullmatch(rf"{kind.lower()}(_\d+)?", layer.name)
    return "output" if automatic else str(layer.name)


def _check_size(model: keras.Model, folder: Path) -> None:
    weights = sum(
        int(np.prod(weight.shape)) * int(weight.value.dtype.size)
        for weight in model.weights
    )
    files = sum(
        file.stat().st_size for file in (folder / "variables").iterdir()
    )
    if files > 1.02 * weights + _OVERHEAD_BYTES:
        raise RuntimeError(
            f"The export holds {files} bytes of variables for {weights} "
            f"bytes of weights of model {model.name!r}: some are stored "
            "twice."
        )
