"""Two tables read through a weighed product."""

import dataclasses
from typing import Any

__all__ = ["WeightedProduct"]


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
