"""Width as a power of popularity."""

from collections.abc import Mapping

import keras
import numpy as np

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.search.rules.rule import Rule
from keras_emb.search.rules.scaled_sizes import scaled_sizes

__all__ = ["PowerRule"]


class PowerRule(Rule):
    """Mixed dimensions by rule: width proportional to `popularity^exponent`.

    Ginart et al., "Mixed Dimension Embeddings", arXiv 1909.11810,
    the power rule: `d = lambda * p^alpha`, with a row's own popularity and
    lambda set by the budget.

    >>> rule = PowerRule(0.1, exponent=0.5)

    Args:
        budget: Share of the tables' parameters to keep, or bytes.
        exponent: 0 gives one width, 1 widths proportional to popularity.
        features: Input feature of each table, where it cannot be read off.

    Raises:
        ValueError: If the exponent lies outside [0, 1].
    """

    def __init__(
        self,
        budget: Budget | float | int,
        *,
        exponent: float = 0.5,
        features: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(budget, features=features)
        if not 0.0 <= exponent <= 1.0:
            raise ValueError(
                f"`exponent` must lie in [0, 1]. Received: exponent={exponent}"
            )
        self.exponent = exponent

    def fit(
        self, backbone: keras.Model, interactions: Interactions
    ) -> SizeAssignment:
        """Sizes for a backbone."""
        weights = {
            name: np.maximum(counts, 1) ** float(self.exponent)
            for name, counts in self.popularity(backbone, interactions).items()
        }
        sizes = scaled_sizes(weights, self.output_dims(backbone), self.budget)
        return sizes.with_origin(
            {"method": "power_rule", "exponent": self.exponent}
        )
