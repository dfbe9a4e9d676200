"""Copies of layers and models around exchanged tables."""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import keras

from keras_emb.layers.object_sharing import object_sharing

__all__ = ["copy_layer", "copy_weights", "paired_layers", "rebuild"]

# Attributes every Keras layer has: bookkeeping, not the author's.
_BOOKKEEPING = frozenset(vars(keras.Model())) | {"_functional"}


def copy_layer(layer: Any) -> Any:
    """A copy of a layer or model, with variables of its own and equal.

    Args:
        layer: A built layer or model.
    """
    copy = rebuild(layer, {})
    copy_weights(layer, copy, ())
    return copy


def rebuild(layer: Any, replaced: Mapping[int, Any]) -> Any:
    """Makes a layer or model anew, with some layers exchanged.

    Args:
        layer: A layer or model.
        replaced: New layers by the `id` of the ones they stand for.

    Returns:
        A layer of freshly initialised weights; functional models of an
        unknown class become plain functional models.
    """
    with object_sharing():
        return _Rebuilder(replaced).rebuild(layer)


def paired_layers(
    old: Any, new: Any, closed: Collection[int] = ()
) -> Iterator[tuple[Any, Any]]:
    """Walks a layer and its rebuilt copy in step, outer layers first.

    Args:
        old: The layer that was rebuilt.
        new: What `rebuild` made of it.
        closed: `id` of the layers to pass by without looking inside.

    Raises:
        ValueError: If the copy has other layers.
    """
    return _pairs(old, new, closed, set())


def copy_weights(old: Any, new: Any, replaced: Collection[int]) -> None:
    """Copies the weights of a layer to its rebuilt copy.

    Args:
        old: The layer that was rebuilt.
        new: What `rebuild` made of it.
        replaced: `id` of the layers that were exchanged: these and what is
            inside them are left out.

    Raises:
        ValueError: If the copy has other layers or weights.
    """
    for source, target in paired_layers(old, new, replaced):
        if id(source) in replaced:
            continue
        values, variables = _own_variables(source), _own_variables(target)
        if len(values) != len(variables):
            raise ValueError(
                "A model that is not functional must come back built from "
                "`from_config(get_config())` and `build_from_config`. "
                f"Received: layer {source.name!r} with {len(values)} "
                f"weights, its copy with {len(variables)}"
            )
        for value, variable in zip(values, variables, strict=True):
            variable.assign(value.value)


def _own_variables(layer: Any) -> list[Any]:
    # A copy's dropout draws what the original's would have drawn.
    states = [generator.state for generator in layer._seed_generators]
    return [
        *layer._trainable_variables,
        *layer._non_trainable_variables,
        *states,
    ]


def _pairs(
    old: Any, new: Any, closed: Collection[int], seen: set[int]
) -> Iterator[tuple[Any, Any]]:
    if id(old) in seen:
        return
    seen.add(id(old))
    yield old, new
    if id(old) in closed:
        return
    if len(old._layers) != len(new._layers):
        raise ValueError(
            "A model must come back from its configuration with the same "
            f"layers. Received: {old.name!r} with "
            f"{[layer.name for layer in old._layers]}, its copy with "
            f"{[layer.name for layer in new._layers]}"
        )
    for pair in zip(old._layers, new._layers, strict=True):
        yield from _pairs(*pair, closed, seen)


class _Rebuilder:
    """One walk through a model; a layer used twice is made once."""

    def __init__(self, replaced: Mapping[int, Any]) -> None:
        self.replaced = replaced
        self.made: dict[int, Any] = dict(replaced)

    def rebuild(self, layer: Any) -> Any:
        if id(layer) not in self.made:
            self.made[id(layer)] = self._rebuild(layer)
        return self.made[id(layer)]

    def _rebuild(self, layer: Any) -> Any:
        if hasattr(layer, "with_tables"):
            copy = type(layer).from_config(layer.get_config())
            return copy.with_tables(
                {
                    name: self.rebuild(table)
                    for name, table in layer.tables.items()
                }
            )
        if isinstance(layer, keras.Sequential) or hasattr(layer, "operations"):
            return keras.models.clone_model(layer, clone_function=self.rebuild)
        copy = type(layer).from_config(layer.get_config())
        if not isinstance(layer, keras.layers.Layer):
            # A plain operation of `keras.ops` has neither state nor parts.
            return copy
        if layer.built and not copy.built:
            copy.build_from_config(layer.get_build_config() or {})
        if self._holds(layer):
            for name in set(vars(layer)) & set(vars(copy)) - _BOOKKEEPING:
                old, new = getattr(layer, name), getattr(copy, name)
                setattr(copy, name, self._exchange(old, new, copy))
        return copy

    def _holds(self, layer: Any) -> bool:
        return id(layer) in self.replaced or any(
            self._holds(child) for child in layer._layers
        )

    def _exchange(self, old: Any, new: Any, owner: Any) -> Any:
        """`new`, with its layers exchanged where `old` holds a table."""
        if isinstance(old, keras.layers.Layer):
            if not self._holds(old):
                return new
            made = self.rebuild(old)
            if owner._tracker.is_in_store("layers", new):
                owner._tracker.replace_tracked_value("layers", new, made)
            return made
        if isinstance(old, list | tuple):
            return type(old)(
                [
                    self._exchange(*pair, owner)
                    for pair in zip(old, new, strict=True)
                ]
            )
        if isinstance(old, dict):
            return {
                key: self._exchange(value, new[key], owner)
                for key, value in old.items()
            }
        return new
