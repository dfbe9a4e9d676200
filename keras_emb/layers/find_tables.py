"""The embedding tables of a model and their inputs."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras

__all__ = ["find_tables", "is_table", "table_features", "table_rows"]


def is_table(layer: Any) -> bool:
    """Whether a layer looks up ids in a table."""
    return isinstance(layer, keras.layers.Embedding) or (
        hasattr(layer, "vocabulary_size") and hasattr(layer, "output_dim")
    )


def table_rows(table: Any) -> int:
    """Number of rows of a table, ours or Keras's.

    >>> import keras
    >>> table_rows(keras.layers.Embedding(9, 2))
    9

    Args:
        table: A layer that `is_table`.
    """
    return int(getattr(table, "vocabulary_size", None) or table.input_dim)


def find_tables(model: keras.Model) -> dict[str, Any]:
    """Finds the tables of any Keras model.

    >>> import keras
    >>> model = keras.Sequential(
    ...     [keras.Input(()), keras.layers.Embedding(9, 2, name="word")]
    ... )
    >>> list(find_tables(model))
    ['word']

    Args:
        model: A model that names its tables in a mapping `tables`, or holds
            `keras.layers.Embedding` or our table layers anywhere.

    Returns:
        The tables by name: the model's own names, else the layers' names.

    Raises:
        ValueError: If two tables have the same name.
    """
    own = getattr(model, "tables", None)
    if isinstance(own, Mapping):
        return dict(own)
    tables: dict[str, Any] = {}
    for layer in _outermost_tables(model, set()):
        if tables.get(layer.name, layer) is not layer:
            raise ValueError(
                "Tables must have different names. Received two tables "
                f"named {layer.name!r}"
            )
        tables[layer.name] = layer
    return tables


def _outermost_tables(layer: Any, seen: set[int]) -> list[Any]:
    found = []
    for child in layer._layers:
        if id(child) in seen:
            continue
        seen.add(id(child))
        named = getattr(child, "tables", None)
        if is_table(child):
            found.append(child)
        elif isinstance(named, Mapping):
            found.extend(named.values())
        else:
            found.extend(_outermost_tables(child, seen))
    return found


def table_features(model: keras.Model) -> dict[str, Any]:
    """Names the input feature each table of a model is fed with.

    >>> import keras
    >>> word = keras.Input((), dtype="int32", name="word")
    >>> table = keras.layers.Embedding(9, 2, name="table")
    >>> table_features(keras.Model(word, table(word)))
    {'table': 'word'}

    Args:
        model: A model with a mapping `table_features`, or a functional model
            that feeds its tables with one input each; casts and reshapes on
            the way, and models inside models, are seen through.

    Returns:
        Feature by table name; a tuple of features for a table that holds
        their rows one after the other, which only a model's own mapping says.

    Raises:
        ValueError: If a table's feature cannot be found.
    """
    own = getattr(model, "table_features", None)
    if isinstance(own, Mapping):
        return dict(own)
    sources: dict[int, set[str | None]] = {}
    if isinstance(model, keras.Sequential):
        model = model._functional
    if hasattr(model, "operations"):
        names = [t._keras_history.operation.name for t in model.inputs]
        _trace(model, names, sources)
    features = {}
    for name, table in find_tables(model).items():
        found = sources.get(id(table), set())
        feature = next(iter(found)) if len(found) == 1 else None
        if feature is None:
            raise ValueError(
                "The input feature of a table can only be read off a "
                "functional model that feeds it with one of its inputs; "
                f"name it in an argument. Received: table={name!r}, fed with "
                f"{sorted(str(source) for source in found)}"
            )
        features[name] = feature
    return features


def _trace(
    model: Any,
    names: Sequence[str | None],
    sources: dict[int, set[str | None]],
) -> None:
    """Notes in `sources` which of the named inputs reach each table."""
    origin: dict[int, str | None] = {
        id(tensor): name
        for tensor, name in zip(model.inputs, names, strict=True)
    }
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            operation, tensors = node.operation, node.input_tensors
            if not tensors:
                continue
            fed = [origin.get(id(tensor)) for tensor in tensors]
            if is_table(operation):
                sources.setdefault(id(operation), set()).update(fed)
            elif isinstance(operation, keras.Sequential):
                _trace(operation._functional, fed, sources)
            elif hasattr(operation, "operations"):
                _trace(operation, fed, sources)
            elif len(tensors) == 1:
                for tensor in node.outputs:
                    origin[id(tensor)] = fed[0]
