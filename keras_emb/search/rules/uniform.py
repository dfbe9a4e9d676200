"""One width for all rows."""

import keras

from keras_emb.compression import SizeAssignment
from keras_emb.compression.threshold_assignment import largest_within
from keras_emb.datasets import Interactions
from keras_emb.search.rules.rule import Rule

__all__ = ["Uniform"]


class Uniform(Rule):
    """Gives every row of a table the same width.

    The baseline of every search; a grid over smaller widths is a loop over
    budgets. On an aligned model (`keras_emb.align`) it is the truncated
    singular value decomposition.

    >>> import keras_emb
    >>> from keras_emb.zoo import MatrixFactorization
    >>> model = MatrixFactorization.from_sizes(
    ...     users=9, items=7, embedding_dim=8
    ... )
    >>> Uniform(0.25).fit(model).sizes("user").tolist()[:2]
    [2, 2]

    Args:
        budget: Share of the tables' parameters to keep, or bytes.
    """

    def fit(
        self, backbone: keras.Model, interactions: Interactions | None = None
    ) -> SizeAssignment:
        """Sizes for a backbone, the widths rounded down."""
        tables = {n: v.shape for n, v in self.values(backbone).items()}
        total = sum(rows * width for rows, width in tables.values())

        def keep(share: float) -> SizeAssignment:
            sizes = {
                name: SizeAssignment.uniform(
                    {name: shape}, int(share * shape[1] + 1e-9)
                ).tables[name]
                for name, shape in tables.items()
            }
            return SizeAssignment(sizes, {"method": "uniform"})

        if self.budget.share is not None:
            return keep(self.budget.share)
        return largest_within(
            lambda count: keep(count / total), total, self.budget
        )
