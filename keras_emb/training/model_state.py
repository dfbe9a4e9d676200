"""Everything of a model that training changes."""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import keras
import numpy as np

__all__ = [
    "architecture_of",
    "digest_of",
    "load_state",
    "state_arrays",
    "state_variables",
]


def state_variables(model: keras.Model) -> list[Any]:
    """Weights and seeds of a compiled model, the state of its optimizers.

    Args:
        model: Compiled, with built optimizers.
    """
    # Not `weights`: the random state of dropout goes on as well.
    variables = [*model.variables, *model.optimizer.variables]
    outer = getattr(model, "outer_optimizer", None)
    return variables + (list(outer.variables) if outer else [])


def state_arrays(model: keras.Model) -> dict[str, np.ndarray]:
    """The values of `state_variables`, by number.

    Args:
        model: Compiled, with built optimizers.
    """
    return {
        f"variable_{index}": variable.numpy()
        for index, variable in enumerate(state_variables(model))
    }


def load_state(model: keras.Model, arrays: Mapping[str, np.ndarray]) -> None:
    """Gives a model the values that `state_arrays` read.

    Args:
        model: Compiled, with built optimizers.
        arrays: Holds those values, among others.

    Raises:
        ValueError: If they are not those of such a model; it is unchanged.
    """
    variables = state_variables(model)
    values = [
        arrays.get(f"variable_{index}") for index in range(len(variables))
    ]
    if f"variable_{len(variables)}" in arrays:
        raise ValueError(
            "A state must be that of a model of the same tables, layers and "
            f"optimizers. Received: more than {len(variables)} variables"
        )
    for variable, value in zip(variables, values, strict=True):
        if value is None or value.shape != tuple(variable.shape):
            shape = None if value is None else value.shape
            raise ValueError(
                "A state must be that of a model of the same tables, layers "
                f"and optimizers. Received: shape {shape} for "
                f"{variable.path} of shape {tuple(variable.shape)}"
            )
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def architecture_of(model: keras.Model) -> str:
    """What tells a model from others, whatever its names and values.

    >>> dense = [keras.layers.Dense(1, name=name) for name in "ab"]
    >>> one, other = (
    ...     keras.Sequential([keras.Input((2,)), layer]) for layer in dense
    ... )
    >>> architecture_of(one) == architecture_of(other)
    True

    Args:
        model: A built model.

    Returns:
        A digest of the kinds and settings of its layers.
    """
    layers = [
        (
            type(layer).__name__,
            {k: v for k, v in layer.get_config().items() if k != "name"},
        )
        for layer in model._flatten_layers(include_self=False)
        # Models are told by their layers.
        if not isinstance(layer, keras.Model)
    ]
    told = json.dumps(layers, default=lambda value: type(value).__name__)
    return hashlib.sha256(told.encode()).hexdigest()


def digest_of(arrays: Iterable[np.ndarray]) -> str:
    """What tells arrays from others of the same shapes.

    >>> digest_of([np.zeros(2)]) == digest_of([np.ones(2)])
    False

    Args:
        arrays: Weights, or data.
    """
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()
