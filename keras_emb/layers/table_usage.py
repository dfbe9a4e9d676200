"""How a model uses its tables, for `keras_emb.compression.align`."""

import dataclasses
from typing import Any

__all__ = ["DotProduct", "IntoDense", "SharedSpace", "WeightedProduct"]


@dataclasses.dataclass(frozen=True)
class DotProduct:
    """The model reads two tables through their rows' dot product alone.

    >>> DotProduct("user", "item").tables
    ('user', 'item')

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

    The product of NeuMF's two tables, weighed by the first rows of its last
    layer:

    >>> from keras_emb.zoo import NeuMF
    >>> model = NeuMF.from_sizes(users=3, items=4, embedding_dim=5)
    >>> rating = model.get_layer("rating")
    >>> usage = WeightedProduct("user_gmf", "item_gmf", rating)

    Args:
        left: Name of a table.
        right: Name of the other table.
        layer: Dense layer of one unit that holds the weights, or its name.
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

    >>> SharedSpace(("user", "item")).tables
    ('user', 'item')

    Args:
        tables: Names of the tables.
    """

    tables: tuple[str, ...]


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
