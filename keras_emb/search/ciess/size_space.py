"""Which tables the sizes of entities belong to."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.layers import find_tables, table_features

__all__ = ["SizeSpace"]


@dataclasses.dataclass(frozen=True)
class SizeSpace:
    """All sizes a search can choose from, and what they cost.

    An entity has one size, in every table that it is looked up in.

    >>> space = SizeSpace({"user": 2}, {"user_gmf": "user"}, d_max=4)
    >>> sizes = space.assignment({"user": np.array([1, 2])})
    >>> sizes.sizes("user_gmf").tolist()
    [1, 2]
    >>> space.fits({"user": np.array([1, 2])}, Budget.of(0.25))
    False

    Args:
        rows: Number of entities by side.
        tables: Side of each table.
        d_max: Width of the tables.
    """

    rows: Mapping[str, int]
    tables: Mapping[str, str]
    d_max: int

    @classmethod
    def of(cls, model: keras.Model, rows: Mapping[str, int]) -> "SizeSpace":
        """The sizes of a model's tables.

        Args:
            model: A model whose tables are looked up by one input each.
                Tables of one coordinate (biases) are left alone.
            rows: Number of rows by input feature; those without a table are
                left out.

        Raises:
            ValueError: If the tables are not of one width, or one is looked
                up by something that `rows` does not have.
        """
        wide = {
            name: int(table.output_dim)
            for name, table in find_tables(model).items()
            if table.output_dim > 1
        }
        widths = sorted(set(wide.values()))
        if len(widths) != 1:
            raise ValueError(
                "The tables of `model` must be of one width, as users and "
                f"items have one size each. Received: widths {widths}"
            )
        features = table_features(model)
        tables = {name: features[name] for name in wide}
        if not set(tables.values()) <= set(rows):
            raise ValueError(
                "Every table of `model` must be looked up by one of "
                f"{sorted(rows)}. Received: {tables}"
            )
        sides = set(tables.values())
        return cls(
            {side: count for side, count in rows.items() if side in sides},
            tables,
            widths[0],
        )

    def assignment(
        self,
        sizes: Mapping[str, Any],
        origin: dict[str, Any] | None = None,
    ) -> SizeAssignment:
        """The sizes of all tables.

        Args:
            sizes: Integers of shape `(rows,)` by side.
            origin: Where they come from.
        """
        return SizeAssignment.from_sizes(
            {
                name: np.asarray(sizes[side])
                for name, side in self.tables.items()
            },
            self.d_max,
            origin,
        )

    def even(self, size: int) -> dict[str, np.ndarray]:
        """One size for all entities, by side."""
        return {side: np.full(n, size) for side, n in self.rows.items()}

    def fits(self, sizes: Mapping[str, Any], budget: Budget) -> bool:
        """Whether sizes stay within a budget.

        Args:
            sizes: Integers of shape `(rows,)` by side.
            budget: Share of the tables' parameters, or bytes.
        """
        try:
            self.assignment(sizes).check(budget)
        except ValueError:
            return False
        return True

    def reaches(self, budget: Budget) -> bool:
        """Whether a budget has room for one coordinate a row.

        Args:
            budget: Share of the tables' parameters, or bytes.
        """
        return self.fits(self.even(1), budget)

    def check_reachable(self, budget: Budget) -> None:
        """Makes sure that the space `reaches` a budget.

        Args:
            budget: Share of the tables' parameters, or bytes.

        Raises:
            ValueError: If it does not.
        """
        if not self.reaches(budget):
            least = self.assignment(self.even(1))
            raise ValueError(
                "`budget` must have room for one coordinate of every row: a "
                f"share of {least.kept_share:.4g} or "
                f"{least.memory_bytes(budget.precision)} bytes. "
                f"Received: budget={budget}"
            )
