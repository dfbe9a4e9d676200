"""A table read by a dense layer."""

import dataclasses
from typing import Any

__all__ = ["IntoDense"]


@dataclasses.dataclass(frozen=True)
class IntoDense:
    """A table's rows go straight into a dense layer.

    The second of two tables of width 8 that are concatenated first:

    >>> import keras
    >>> usage = IntoDense("item", keras.layers.Dense(16), first_row=8)

    Args:
        table: Name of the table.
        layer: The dense layer, or its name.
        first_row: Row of its kernel that takes the first coordinate.
    """

    table: str
    layer: Any
    first_row: int = 0

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return (self.table,)
