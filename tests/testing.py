"""Checks that every layer and every backbone must pass."""

import json
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from keras_emb.layers import find_tables, table_features

__all__ = [
    "assert_reads_rows_only",
    "copy_state",
    "run_layer_test",
    "run_model_test",
    "save_and_load",
]


def run_layer_test(
    make: Callable[..., Any],
    *inputs: Any,
    expected_shape: Any,
    table: Callable[[Any], keras.Variable] | None = None,
    mixed_precision: bool = True,
    jit_compile: bool = True,
    dynamic_batch: bool = True,
) -> None:
    """Runs the checks every layer must pass.

    Args:
        make: Returns a new layer; called with `dtype` only or nothing.
        *inputs: Nests of arrays the layer is called with, batch first.
        expected_shape: Shapes of what it returns for them, nested alike.
        table: Gets the variable whose rows are looked up, if there is one:
            it must never be read as a whole.
        mixed_precision: Whether the layer has a compute type; what counts
            has none.
        jit_compile: Whether XLA can compile the layer.
        dynamic_batch: Whether all inputs and outputs have one batch.
    """
    layer = make()
    expected = _arrays(layer(*inputs))
    assert _shapes(expected) == expected_shape
    assert layer.supports_jit or not jit_compile
    _check_config(layer)
    _check_saving(layer, inputs, expected)
    _check_compiled(layer, inputs, expected, jit_compile)
    if dynamic_batch:
        _check_dynamic_batch(layer, inputs, expected_shape)
    if mixed_precision:
        _check_mixed_precision(make, layer, inputs, expected)
    if table is not None:
        assert_reads_rows_only(layer, table(layer), inputs)


def run_model_test(
    model: keras.Model,
    inputs: Mapping[str, Any],
    *,
    jit_compile: bool = True,
) -> None:
    """Runs the checks every backbone must pass.

    Args:
        model: A backbone of the zoo.
        inputs: Integer arrays of shape `(batch,)` by feature.
        jit_compile: Whether XLA can compile the model.
    """
    expected = np.asarray(model(inputs))
    batch = len(next(iter(inputs.values())))
    assert expected.shape == (batch, 1)
    assert expected.dtype == np.float32
    config = json.loads(json.dumps(model.get_config()))
    assert _without_identity(
        type(model).from_config(config).get_config()
    ) == _without_identity(model.get_config())
    loaded = save_and_load(model)
    assert type(loaded) is type(model)
    np.testing.assert_array_equal(loaded(inputs), expected)
    for compiled in (False, True) if jit_compile else (False,):
        call = tf.function(model, jit_compile=compiled)
        np.testing.assert_allclose(call(inputs), expected, 1e-5, 1e-6)
    one = {name: ids[:1] for name, ids in inputs.items()}
    np.testing.assert_allclose(model(one), expected[:1], 1e-5, 1e-6)
    assert find_tables(model) == dict(model.tables)
    assert set(table_features(model)) == set(model.tables)
    assert set(table_features(model).values()) == set(inputs)
    for usage in model.usages():
        assert set(usage.tables) <= set(model.tables)
    copy = type(model).from_config(model.get_config())
    copy_state(model, copy)
    copy.compile(keras.optimizers.Adam(1e-2), loss="mse")
    target = np.ones((batch, 1), "float32")
    before = copy.evaluate(inputs, target, verbose=0)
    copy.fit(inputs, target, epochs=3, verbose=0)
    assert copy.evaluate(inputs, target, verbose=0) < before
    np.testing.assert_array_equal(model(inputs), expected)


def save_and_load(model: keras.Model) -> keras.Model:
    """A model written to a `.keras` file and read again."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.keras"
        model.save(path)
        return keras.saving.load_model(path)


def copy_state(source: Any, target: Any) -> None:
    """Gives a layer or model the weights of another of its kind."""
    for old, new in zip(source.variables, target.variables, strict=True):
        new.assign(old.value)


def assert_reads_rows_only(
    layer: Any, table: keras.Variable, inputs: tuple[np.ndarray, ...]
) -> None:
    """Checks that neither a lookup nor its gradient reads the table."""

    @tf.function
    def gradient(*ids: Any) -> Any:
        with tf.GradientTape() as tape:
            tape.watch(table.value)
            loss = tf.reduce_sum(tf.cast(layer(*ids), "float32") ** 2)
        result = tape.gradient(loss, table.value)
        assert isinstance(result, tf.IndexedSlices)
        return result.values, result.indices

    graph = gradient.get_concrete_function(*map(tf.constant, inputs)).graph
    handles = {
        id(inner)
        for outer, inner in graph.captures
        if outer is table.value.handle
    }
    assert handles, "The table is not used at all."
    for operation in graph.get_operations():
        if operation.type == "ReadVariableOp":
            assert id(operation.inputs[0]) not in handles, operation.name


def _check_config(layer: Any) -> None:
    config = layer.get_config()
    stored = json.loads(json.dumps(config))
    copy = type(layer).from_config(stored)
    assert _without_identity(copy.get_config()) == _without_identity(config)
    if not copy.built:
        copy.build_from_config(layer.get_build_config())
    assert [v.shape for v in copy.variables] == [
        v.shape for v in layer.variables
    ]


def _check_saving(layer: Any, inputs: tuple[Any, ...], expected: Any) -> None:
    symbolic = _symbolic(inputs)
    outputs = layer(*symbolic)
    model = keras.Model(symbolic, outputs)
    for tensor, array in zip(
        keras.tree.flatten(outputs), keras.tree.flatten(expected), strict=True
    ):
        assert len(tensor.shape) == array.ndim
        for found, size in zip(tensor.shape, array.shape, strict=True):
            assert found in (None, size)
        assert keras.backend.standardize_dtype(tensor.dtype) == array.dtype
    loaded = save_and_load(model)
    assert len(loaded.variables) == len(model.variables)
    _assert_close(loaded(list(inputs)), expected, rtol=0, atol=0)


def _check_compiled(
    layer: Any, inputs: tuple[Any, ...], expected: Any, jit_compile: bool
) -> None:
    for compiled in (False, True) if jit_compile else (False,):
        call = tf.function(layer, jit_compile=compiled)
        _assert_close(call(*inputs), expected, rtol=1e-6, atol=0)


def _check_dynamic_batch(
    layer: Any, inputs: tuple[Any, ...], shapes: Any
) -> None:
    specs = keras.tree.map_structure(
        lambda array: tf.TensorSpec((None, *array.shape[1:]), array.dtype),
        inputs,
    )
    call = tf.function(layer, input_signature=specs)
    for batch in (1, len(keras.tree.flatten(inputs)[0])):
        part = call(
            *keras.tree.map_structure(lambda a, size=batch: a[:size], inputs)
        )
        assert _shapes(part) == _with_batch(shapes, batch)
    assert _shapes(layer(*_symbolic(inputs))) == _with_batch(shapes, None)


def _check_mixed_precision(
    make: Callable[..., Any], layer: Any, inputs: tuple[Any, ...], expected: Any
) -> None:
    for policy in ("mixed_bfloat16", "mixed_float16"):
        mixed = make(dtype=policy)
        outputs = mixed(*inputs)
        for output in keras.tree.flatten(outputs):
            assert output.dtype == mixed.compute_dtype
        for variable in mixed.trainable_variables:
            assert variable.dtype == "float32"
        copy_state(layer, mixed)
        _assert_close(mixed(*inputs), expected, rtol=2e-2, atol=2e-2)


def _symbolic(inputs: tuple[Any, ...]) -> list[Any]:
    return keras.tree.map_structure(
        lambda array: keras.Input(array.shape[1:], dtype=array.dtype.name),
        list(inputs),
    )


def _arrays(outputs: Any) -> Any:
    return keras.tree.map_structure(np.asarray, outputs)


def _shapes(outputs: Any) -> Any:
    return keras.tree.map_structure(lambda o: tuple(o.shape), outputs)


def _with_batch(shapes: Any, batch: int | None) -> Any:
    return keras.tree.map_shape_structure(lambda s: (batch, *s[1:]), shapes)


def _assert_close(found: Any, expected: Any, rtol: float, atol: float) -> None:
    # A loaded model has lists where there were tuples.
    for one, other in zip(
        keras.tree.flatten(found), keras.tree.flatten(expected), strict=True
    ):
        np.testing.assert_allclose(
            np.asarray(one, "float32"), other, rtol, atol
        )


def _without_identity(config: Any) -> Any:
    """A configuration without the numbers Keras tells objects apart by."""
    if isinstance(config, dict):
        return {
            key: _without_identity(value)
            for key, value in config.items()
            if key != "shared_object_id"
        }
    if isinstance(config, list | tuple):
        return [_without_identity(value) for value in config]
    return config
