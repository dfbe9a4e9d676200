"""What reads each input of a functional model."""

import dataclasses
from collections.abc import Sequence
from typing import Any

import keras

from keras_emb.layers.find_tables import is_table

__all__ = ["FeatureConsumers", "feature_consumers"]

_SAME_IDS = (keras.layers.Reshape, keras.layers.Flatten)


@dataclasses.dataclass(frozen=True)
class FeatureConsumers:
    """What reads one input feature.

    Args:
        tables: Tables that look its ids up.
        others: All else that sees the ids.
    """

    tables: list[Any] = dataclasses.field(default_factory=list)
    others: list[Any] = dataclasses.field(default_factory=list)


def feature_consumers(
    model: keras.Model,
) -> dict[str, FeatureConsumers] | None:
    """Finds everything in a functional model that reads an input.

    Unlike `find_tables` it also sees the tables no search touches, such as
    biases, and layers that use an id for something else than a lookup.
    Reshapes, and models inside models, are seen through. Layers that only
    ask whether an id is row 0, and say so by `reads_unknown_only`, do not
    count: no order of the rows changes that.

    >>> import keras
    >>> word = keras.Input((), dtype="int32", name="word")
    >>> table = keras.layers.Embedding(9, 2, name="table")
    >>> found = feature_consumers(keras.Model(word, table(word)))
    >>> [layer.name for layer in found["word"].tables]
    ['table']

    Args:
        model: Any Keras model.

    Returns:
        Consumers by the name of the input; None when the model is not
        functional.
    """
    if isinstance(model, keras.Sequential):
        model = model._functional
    if not hasattr(model, "operations"):
        return None
    names = [tensor._keras_history.operation.name for tensor in model.inputs]
    found = {name: FeatureConsumers() for name in names}
    _trace(model, names, found)
    return found


def _trace(
    model: Any,
    names: Sequence[str | None],
    found: dict[str, FeatureConsumers],
) -> None:
    origin: dict[int, str | None] = {
        id(tensor): name
        for tensor, name in zip(model.inputs, names, strict=True)
    }
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            operation, tensors = node.operation, node.input_tensors
            fed = [origin.get(id(tensor)) for tensor in tensors]
            if not any(fed):
                continue
            if isinstance(operation, keras.Sequential):
                _trace(operation._functional, fed, found)
            elif hasattr(operation, "operations"):
                _trace(operation, fed, found)
            elif isinstance(operation, _SAME_IDS):
                for tensor in node.outputs:
                    origin[id(tensor)] = fed[0]
            else:
                _note(operation, fed, found)


def _note(
    operation: Any,
    fed: Sequence[str | None],
    found: dict[str, FeatureConsumers],
) -> None:
    for name in fed:
        if name is None or getattr(operation, "reads_unknown_only", False):
            continue
        consumers = found[name]
        group = consumers.tables if is_table(operation) else consumers.others
        if operation not in group:
            group.append(operation)
