"""What every rule shares: tables and their popularity."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_emb.compression import Budget
from keras_emb.datasets import Interactions
from keras_emb.layers import find_tables, table_counts, table_values

__all__ = ["Rule"]


class Rule:
    """A way to decide sizes without a search by gradient.

    Args:
        budget: Share of the tables' parameters to keep, or bytes.
        features: Input feature of each table, for models it cannot be read
            from.
    """

    def __init__(
        self,
        budget: Budget | float | int,
        *,
        features: Mapping[str, str] | None = None,
    ) -> None:
        self.budget = Budget.of(budget)
        self.features = features

    def tables(self, backbone: keras.Model) -> dict[str, Any]:
        """The tables wider than one coordinate, by name."""
        return {
            name: table
            for name, table in find_tables(backbone).items()
            if table.output_dim > 1
        }

    def output_dims(self, backbone: keras.Model) -> dict[str, int]:
        """Width of each table."""
        return {
            name: int(table.output_dim)
            for name, table in self.tables(backbone).items()
        }

    def values(self, backbone: keras.Model) -> dict[str, np.ndarray]:
        """Values of each table, shape `(rows, output_dim)`."""
        return {
            name: table_values(table)
            for name, table in self.tables(backbone).items()
        }

    def popularity(
        self, backbone: keras.Model, interactions: Interactions
    ) -> dict[str, np.ndarray]:
        """Training counts of each table's rows."""
        return table_counts(
            backbone,
            interactions.popularity,
            tables=self.tables(backbone),
            features=self.features,
        )
