"""How a model uses its tables, for `keras_emb.compression.align`."""

import dataclasses
from typing import Any

__all__ = ["DotProduct", "IntoDense", "SharedSpace", "WeightedProduct"]


@dataclasses.dataclass(frozen=True)
class DotProduct:
    """The model reads two tables through their rows' dot product alone.

    Args:
        left: Name of a table.
        right: Name of the other table.
    """

    left: str
    right: str

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return (self.left, self.right)


@dataclasses.dataclass(frozen=True)
class WeightedProduct:
    """The element-wise product of two tables' rows is weighed and summed.

    Args:
        left: Name of a table.
        right: Name of the other table.
        layer: Dense layer of one unit that holds the weights.
        first_row: Row of its kernel that weighs the first coordinate.
    """

    left: str
    right: str
    layer: Any
    first_row: int = 0

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return (self.left, self.right)


@dataclasses.dataclass(frozen=True)
class SharedSpace:
    """Tables meet in one space where only inner products count.

    Args:
        tables: Names of the tables.
    """

    tables: tuple[str, ...]


@dataclasses.dataclass(frozen=True)
class IntoDense:
    """A table's rows go straight into a dense layer.

    Args:
        table: Name of the table.
        layer: The dense layer.
        first_row: Row of its kernel that takes the first coordinate.
    """

    table: str
    layer: Any
    first_row: int = 0

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return (self.table,)
