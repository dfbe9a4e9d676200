"""Models that are really as small as their assignment says."""

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

import keras
import numpy as np

from keras_emb.compression.memory_report import MemoryReport, memory_report
from keras_emb.compression.row_order import shared_row_order
from keras_emb.compression.size_assignment import SizeAssignment
from keras_emb.compression.table_sizes import TableSizes
from keras_emb.layers import (
    DenseEmbedding,
    MaskedEmbedding,
    MixedDimensionEmbedding,
    ProjectedEmbedding,
    find_tables,
    replace_tables,
    table_rows,
    table_values,
)
from keras_emb.layers.feature_consumers import (
    FeatureConsumers,
    feature_consumers,
)

__all__ = ["CompactionReport", "compact"]

_REORDERED = (DenseEmbedding, MaskedEmbedding, keras.layers.Embedding)


@dataclasses.dataclass(frozen=True)
class CompactionReport:
    """What a compaction has done.

    Args:
        before: Bytes of the model that went in.
        after: Bytes of the compact model.
        row_orders: With `row_order="fold"`, for every table whose rows were
            renumbered, the old row of each new row.
        feature_orders: The same by input feature, for
            `Vocabulary.reorder`.
    """

    before: MemoryReport
    after: MemoryReport
    row_orders: Mapping[str, np.ndarray]
    feature_orders: Mapping[str, np.ndarray]

    @property
    def ratio(self) -> float:
        """Bytes of the dense model for one byte of the compact one."""
        return self.after.dense / self.after.total

    def __str__(self) -> str:
        return f"{self.after}\n{self.ratio:.1f} times smaller than dense"


def compact(
    model: keras.Model,
    assignment: SizeAssignment,
    *,
    row_order: Literal["keep", "fold"] = "keep",
) -> tuple[keras.Model, CompactionReport]:
    """Makes a model that stores nothing but what an assignment keeps.

    Its predictions are those of the model with the rest masked away. Every
    assigned table becomes a `MixedDimensionEmbedding`; all other weights are
    copied.

    >>> import keras
    >>> model = keras.Sequential(
    ...     [keras.Input(()), keras.layers.Embedding(1000, 8, name="word")]
    ... )
    >>> sizes = SizeAssignment.uniform({"word": (1000, 8)}, size=2)
    >>> small, report = compact(model, sizes)
    >>> report.after.values, report.after.index
    (8000, 28)

    Args:
        model: A built Keras model with tables; it stays as it is.
        assignment: What to keep of each table, by name. Tables without an
            entry stay as they are.
        row_order: `"keep"`: ids mean what they meant. `"fold"`: rows are
            renumbered so that rows of one size stand together, which leaves
            almost nothing to store as an index; the caller renumbers its ids
            by the report's `feature_orders`. Tables fed with one feature
            share one order, and tables that are not in the assignment
            (biases) follow it. Needs a functional model.

    Returns:
        The compact model, and a report of its bytes.

    Raises:
        ValueError: If the assignment does not fit the model, `row_order` is
            unknown, or an order cannot be folded.
    """
    if row_order not in ("keep", "fold"):
        raise ValueError(
            "`row_order` must be 'keep' or 'fold'. "
            f"Received: row_order={row_order!r}"
        )
    tables = _assigned_tables(model, assignment)
    orders: dict[str, np.ndarray] = {}
    feature_orders: dict[str, np.ndarray] = {}
    if row_order == "fold":
        consumers = _foldable_consumers(model, tables)
        feature_orders = _feature_orders(tables, assignment, consumers)
        for feature, order in feature_orders.items():
            for name, table in tables.items():
                if table in consumers[feature].tables:
                    orders[name] = order

    def make(name: str, table: Any) -> Any:
        if name not in tables:
            return table
        kept = assignment.tables[name]
        order = orders.get(name, np.arange(kept.rows))
        if isinstance(table, ProjectedEmbedding):
            return table.with_table(_cut(table.table, kept, order))
        return _cut(table, kept, order)

    compacted = replace_tables(model, make)
    cut = [find_tables(compacted)[name] for name in tables]
    for feature, order in feature_orders.items():
        for table in (feature_consumers(compacted) or {})[feature].tables:
            if table not in cut:
                for weight in table.weights:
                    weight.assign(weight.numpy()[order])
    report = CompactionReport(
        memory_report(model), memory_report(compacted), orders, feature_orders
    )
    return compacted, report


def _cut(
    table: Any, kept: TableSizes, order: np.ndarray
) -> MixedDimensionEmbedding:
    chosen = (
        {"sizes": kept.row_sizes[order]}
        if kept.structure == "prefix"
        else {"mask": kept.row_mask[order]}
    )
    return MixedDimensionEmbedding.from_rows(
        table_values(table)[order],
        **chosen,
        name=table.name,
        dtype=table.dtype_policy,
    )


def _assigned_tables(
    model: keras.Model, assignment: SizeAssignment
) -> dict[str, Any]:
    tables = find_tables(model)
    unknown = sorted(set(assignment.tables) - set(tables))
    if unknown:
        raise ValueError(
            "`assignment` must name tables of the model, which are "
            f"{sorted(tables)}. Received: {unknown}"
        )
    for name, kept in assignment.tables.items():
        table = tables[name]
        shape = (
            table_rows(table),
            getattr(table, "table", table).output_dim,
        )
        if shape != (kept.rows, kept.output_dim):
            raise ValueError(
                f"`assignment` must fit the model's table {name!r} of shape "
                f"{shape}. Received: {(kept.rows, kept.output_dim)}"
            )
        if getattr(table, "mask_zero", False):
            raise ValueError(
                "A table with `mask_zero=True` cannot be compacted: the "
                f"small one computes no mask. Received: table {name!r}"
            )
    return {name: tables[name] for name in assignment.tables}


def _foldable_consumers(
    model: keras.Model, tables: Mapping[str, Any]
) -> dict[str, FeatureConsumers]:
    """Consumers of the features whose rows can be renumbered."""
    found = feature_consumers(model)
    if found is None:
        raise ValueError(
            "`row_order='fold'` needs a functional model, where everything "
            "that reads an id can be seen; use 'keep'. "
            f"Received: model={model.name}"
        )
    folded = {}
    for name, table in tables.items():
        features = [f for f, seen in found.items() if table in seen.tables]
        if len(features) != 1:
            raise ValueError(
                "`row_order='fold'` needs tables that are each fed with one "
                f"input; use 'keep'. Received: table {name!r}, fed with "
                f"{features}"
            )
        folded[features[0]] = found[features[0]]
    for feature, seen in folded.items():
        shared = {
            other
            for other, consumers in found.items()
            if other != feature and set(seen.tables) & set(consumers.tables)
        }
        strange = [layer.name for layer in seen.others] + [
            layer.name
            for layer in seen.tables
            if layer not in tables.values() and type(layer) not in _REORDERED
        ]
        if strange or shared:
            raise ValueError(
                "`row_order='fold'` cannot renumber an input that something "
                "else than its own tables reads; use 'keep'. Received: input "
                f"{feature!r}, read by {strange or sorted(shared)}"
            )
    return folded


def _feature_orders(
    tables: Mapping[str, Any],
    assignment: SizeAssignment,
    consumers: Mapping[str, FeatureConsumers],
) -> dict[str, np.ndarray]:
    orders = {}
    for feature, seen in consumers.items():
        kept = [
            assignment.tables[name]
            for name, table in tables.items()
            if table in seen.tables
        ]
        rows = {
            *(table.rows for table in kept),
            *(layer.weights[0].shape[0] for layer in _others(seen, tables)),
        }
        if len(rows) != 1:
            raise ValueError(
                "`row_order='fold'` needs tables of one input to have the "
                f"same number of rows; use 'keep'. Received: input "
                f"{feature!r} with tables of {sorted(rows)} rows"
            )
        orders[feature] = shared_row_order(
            [table.row_sizes for table in kept],
            [table.output_dim for table in kept],
        )
    return orders


def _others(seen: FeatureConsumers, tables: Mapping[str, Any]) -> list[Any]:
    return [table for table in seen.tables if table not in tables.values()]
