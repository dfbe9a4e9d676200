"""What a model answers when it is served."""

import re
from collections.abc import Mapping
from typing import Any

import keras
import tensorflow as tf

from keras_emb.layers import find_tables, table_features, table_rows
from keras_emb.layers.feature_consumers import feature_consumers
from keras_emb.layers.named_inputs import named_inputs

__all__ = ["ServedModel"]


class ServedModel:
    """A model as functions of named tensors.

    >>> import keras
    >>> word = keras.Input((), dtype="int32", name="word")
    >>> model = keras.Model(word, keras.layers.Embedding(9, 2)(word))
    >>> served = ServedModel(model)
    >>> served.rows
    {'word': 9}
    >>> list(served({"word": tf.constant([3, 100])}))
    ['output']

    Args:
        model: A built Keras model.
        unknown_row: See `export_for_serving`.
        input_signature: See `export_for_serving`.

    Attributes:
        specs: `tf.TensorSpec` of every input, by name.
        rows: Number of rows of the smallest table each input looks up, for
            the inputs that look up any; empty without an `unknown_row`.
        counting: Tables that keep count, by the input they are fed with.
        rows_only: Whether every table is asked for nothing but its rows.

    Raises:
        ValueError: If the inputs are not known, or `unknown_row` cannot be
            applied.
    """

    def __init__(
        self,
        model: keras.Model,
        *,
        unknown_row: int | None = 0,
        input_signature: Mapping[str, keras.InputSpec] | None = None,
    ) -> None:
        self.model = model
        self.unknown_row = unknown_row
        self.specs = _input_specs(model, input_signature)
        self.rows = _rows_by_input(model, self.specs, unknown_row)
        self.counting = _counting_tables(model)
        looked_up = {
            id(table)
            for name in self.rows
            for table in _tables_of_input(model, name)
        }
        self.rows_only = all(
            id(table) in looked_up for table in find_tables(model).values()
        )

    def known(self, name: str, ids: Any) -> Any:
        """Rows of an input's tables for ids, whatever the ids are.

        Args:
            name: The input.
            ids: Integer tensor.

        Returns:
            Tensor of the same shape; `unknown_row` for ids without a row.
        """
        if name not in self.rows:
            return ids
        known = (ids >= 0) & (ids < self.rows[name])
        return tf.where(known, ids, tf.cast(self.unknown_row, ids.dtype))

    def __call__(self, inputs: Mapping[str, Any]) -> dict[str, Any]:
        """What the model predicts.

        Args:
            inputs: Tensors by the names of `specs`.

        Returns:
            Tensors by name.
        """
        rows = {name: self.known(name, inputs[name]) for name in self.specs}
        return _named_outputs(self.model, _call(self.model, rows))


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
        for name, tensor in named_inputs(model).items()
    }


def _call(model: keras.Model, named: Mapping[str, Any]) -> Any:
    if feature_consumers(model) is None:
        return model(dict(named), training=False)
    names = {id(tensor): name for name, tensor in named_inputs(model).items()}
    sequential = isinstance(model, keras.Sequential)
    inputs = keras.tree.map_structure(
        lambda tensor: named[names[id(tensor)]],
        model.inputs[0] if sequential else model.input,
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
    if feature_consumers(model) is None:
        raise ValueError(
            "`unknown_row` can only be applied to a functional model, where "
            "the tables of an input can be seen; give None. "
            f"Received: unknown_row={unknown_row}, model={model.name}"
        )
    rows = {}
    for name in specs:
        tables = _tables_of_input(model, name)
        if tables:
            rows[name] = min(map(table_rows, tables))
    if rows and not 0 <= unknown_row < min(rows.values()):
        raise ValueError(
            "`unknown_row` must be a row of every table, between 0 and "
            f"{min(rows.values()) - 1}. Received: unknown_row={unknown_row}"
        )
    return rows


def _tables_of_input(model: keras.Model, name: str) -> list[Any]:
    consumers = feature_consumers(model) or {}
    operation = named_inputs(model)[name]._keras_history.operation
    own = _declared_tables(model).get(name, ())
    return [*consumers[operation.name].tables, *own]


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
        for name, tensor in named_inputs(model).items()
    }
    return {name: tables for name, tables in found.items() if tables}


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
