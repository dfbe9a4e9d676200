"""Where the bytes of a model are."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_emb.layers import find_tables, table_rows

__all__ = ["MemoryReport", "TableMemory", "memory_report"]


@dataclasses.dataclass(frozen=True)
class TableMemory:
    """Where the bytes of one table are.

    Args:
        rows: Number of rows.
        output_dim: Width of what the table returns.
        values: Bytes of the values, with the scales of rows in int8.
        index: Bytes of all that is needed to find or select them.
        projections: Bytes of a map that belongs to the table.
        dense: Bytes of the full table in the same precision.
    """

    rows: int
    output_dim: int
    values: int
    index: int
    projections: int
    dense: int

    @property
    def total(self) -> int:
        """Bytes of values, index and projections together."""
        return self.values + self.index + self.projections


@dataclasses.dataclass(frozen=True)
class MemoryReport:
    """Where the bytes of a model's weights are.

    The parts add up to the bytes of all weights; a weight that several
    layers share counts once.

    Args:
        tables: The tables, by name.
        layers: Bytes of all other layers that hold weights, by path.
        graph: Bytes of the edges that vectors are propagated along.
    """

    tables: Mapping[str, TableMemory]
    layers: Mapping[str, int]
    graph: int = 0

    @property
    def values(self) -> int:
        """Bytes of the tables' values."""
        return sum(table.values for table in self.tables.values())

    @property
    def index(self) -> int:
        """Bytes needed to find or select the tables' values."""
        return sum(table.index for table in self.tables.values())

    @property
    def projections(self) -> int:
        """Bytes of the maps that belong to tables."""
        return sum(table.projections for table in self.tables.values())

    @property
    def dense_layers(self) -> int:
        """Bytes of everything that is neither a table nor a graph."""
        return sum(self.layers.values())

    @property
    def total(self) -> int:
        """Bytes of all weights."""
        tables = sum(table.total for table in self.tables.values())
        return tables + self.graph + self.dense_layers

    @property
    def dense(self) -> int:
        """Bytes of the model were its tables dense."""
        full = sum(table.dense for table in self.tables.values())
        return full + self.graph + self.dense_layers

    def as_dict(self) -> dict[str, int]:
        """The sums as plain numbers, for `result.json`."""
        return {
            "dense": self.dense,
            "values": self.values,
            "index": self.index,
            "projections": self.projections,
            "graph": self.graph,
            "dense_layers": self.dense_layers,
            "total": self.total,
        }

    def __str__(self) -> str:
        others = {"graph": self.graph} if self.graph else {}
        others["other layers"] = self.dense_layers
        names = [*self.tables, *others, "total"]
        width = max(len(name) for name in names)
        lines = [
            f"{'':{width}} {'values':>13} {'index':>13} {'projections':>13} "
            f"{'total':>13} {'dense':>13}"
        ]

        def add(name: str, *numbers: int) -> None:
            cells = " ".join(f"{number:>13,}" for number in numbers)
            lines.append(f"{name:{width}} {cells}")

        for name, table in self.tables.items():
            parts = (table.values, table.index, table.projections)
            add(name, *parts, table.total, table.dense)
        for name, other in others.items():
            add(name, other, 0, 0, other, other)
        sums = (
            self.values + sum(others.values()),
            self.index,
            self.projections,
        )
        add("total", *sums, self.total, self.dense)
        return "\n".join(lines)


def memory_report(model: keras.Model) -> MemoryReport:
    """Says where the bytes of a model's weights are.

    >>> import keras
    >>> model = keras.Sequential(
    ...     [keras.Input(()), keras.layers.Embedding(9, 2, name="word")]
    ... )
    >>> memory_report(model).as_dict()["values"]
    72

    Args:
        model: A built Keras model, with tables or without.

    Returns:
        The report.

    Raises:
        ValueError: If the model is not built.
    """
    missing = [
        layer.name
        for layer in model._flatten_layers(include_self=False)
        if not layer.built and not layer._layers
    ]
    if missing:
        raise ValueError(
            "`model` must be built before its weights can be counted. "
            f"Received: model={model.name} with unbuilt layers {missing}"
        )
    counted: set[int] = set()
    tables = {
        name: _table_memory(table, counted)
        for name, table in find_tables(model).items()
    }
    graph = 0
    for found in model._flatten_layers():
        for weight in getattr(found, "graph_weights", ()):
            if id(weight) not in counted:
                counted.add(id(weight))
                graph += _num_bytes(weight)
    layers: dict[str, int] = {}
    for weight in model.weights:
        if id(weight) not in counted:
            counted.add(id(weight))
            layer = weight.path.rpartition("/")[0]
            layers[layer] = layers.get(layer, 0) + _num_bytes(weight)
    return MemoryReport(tables, layers, graph)


def _table_memory(table: Any, counted: set[int]) -> TableMemory:
    rows = table_rows(table)
    output_dim = int(table.output_dim)
    values = index = projections = 0
    itemsize = None
    maps = {id(weight) for weight in getattr(table, "projection_weights", ())}
    for layer in table._flatten_layers():
        scales = {id(w) for w in getattr(layer, "scale_weights", ())}
        stored = getattr(layer, "packed_values", None)
        stored = (
            getattr(layer, "embeddings", None) if stored is None else stored
        )
        own = [*layer._trainable_variables, *layer._non_trainable_variables]
        for weight in own:
            if id(weight) in counted:
                continue
            counted.add(id(weight))
            if id(weight) in maps:
                projections += _num_bytes(weight)
                continue
            if id(weight) in scales:
                values += _num_bytes(weight)
                continue
            if weight is not stored:
                index += _num_bytes(weight)
                continue
            itemsize = itemsize or _itemsize(weight)
            kept = getattr(layer, "value_bytes", _num_bytes(weight))
            values += kept
            index += _num_bytes(weight) - kept
    dense = rows * output_dim * (itemsize or _itemsize(table.weights[0]))
    return TableMemory(rows, output_dim, values, index, projections, dense)


def _num_bytes(weight: Any) -> int:
    return int(np.prod(weight.shape)) * _itemsize(weight)


def _itemsize(weight: Any) -> int:
    return int(weight.value.dtype.size)
