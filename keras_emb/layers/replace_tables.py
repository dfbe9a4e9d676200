"""Swapping the tables of a model."""

from collections.abc import Callable
from typing import Any

import keras

from keras_emb.layers.find_tables import find_tables, is_table
from keras_emb.layers.object_sharing import object_sharing
from keras_emb.layers.rebuild import copy_layer, copy_weights, rebuild

__all__ = ["replace_tables"]


def replace_tables(
    model: keras.Model, make: Callable[[str, Any], Any]
) -> keras.Model:
    """Copies a model with other tables in the place of its own.

    The way into a search for any Keras model. Functional, sequential and
    nested models are rebuilt around the new tables; a subclassed model is
    rebuilt from its configuration, and its attributes are exchanged; a model
    with a method `with_tables` does it itself. All other weights are copied.

    >>> import keras
    >>> from keras_emb.layers import DenseEmbedding
    >>> model = keras.Sequential(
    ...     [keras.Input(()), keras.layers.Embedding(9, 2, name="word")]
    ... )
    >>> new = replace_tables(
    ...     model, lambda name, old: DenseEmbedding.from_table(old)
    ... )
    >>> type(new.layers[0]).__name__
    'DenseEmbedding'

    Args:
        model: A built Keras model; it stays as it is.
        make: Called with the name and layer of each table of `find_tables`;
            returns the new table, or the same layer to keep it (the copy
            gets its own, with the same values). The values of a new table
            are up to `make`; `DenseEmbedding.from_table` takes them over.

    Returns:
        A new model that shares no variable with the old one.

    Raises:
        ValueError: If the model is not built, a new table is not a table of
            the old output width, or a model that is not functional does not
            come back from its configuration.
    """
    if not model.built:
        raise ValueError(
            "`model` must be built before its tables can be replaced. "
            f"Received: model={model.name}"
        )
    old = find_tables(model)
    new = {}
    for name, layer in old.items():
        made = make(name, layer)
        if not is_table(made) or made.output_dim != layer.output_dim:
            raise ValueError(
                "`make` must return a table layer of the same output "
                f"width ({layer.output_dim}) for table {name!r}. "
                f"Received: {made}"
            )
        if made is not layer:
            new[name] = made
    if hasattr(model, "with_tables"):
        with object_sharing():
            kept = {
                name: copy_layer(layer)
                for name, layer in old.items()
                if name not in new
            }
        return model.with_tables({**kept, **new})
    replaced = {id(old[name]): layer for name, layer in new.items()}
    copy = rebuild(model, replaced)
    copy_weights(model, copy, set(replaced))
    return copy
