"""The inputs of a functional model by the names they are fed by."""

from typing import Any

import keras

__all__ = ["named_inputs"]


def named_inputs(model: keras.Model) -> dict[str, Any]:
    """Names the symbolic inputs of a functional model.

    A model of a flat dictionary is fed by its keys, any other by the names
    its inputs were given.

    >>> import keras
    >>> from keras_emb.layers.named_inputs import named_inputs
    >>> sides = [keras.Input((), name=name) for name in ("user", "item")]
    >>> model = keras.Model(sides, keras.layers.Add()(sides))
    >>> list(named_inputs(model))
    ['user', 'item']

    Args:
        model: A functional or sequential model.

    Returns:
        Symbolic tensors by name.
    """
    sequential = isinstance(model, keras.Sequential)
    structure = model.inputs[0] if sequential else model.input
    if isinstance(structure, dict) and not any(
        keras.tree.is_nested(item) for item in structure.values()
    ):
        return dict(structure)
    return {
        tensor._keras_history.operation.name: tensor for tensor in model.inputs
    }
