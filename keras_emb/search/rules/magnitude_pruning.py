"""Pruning the smallest entries of a trained table."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras

from keras_emb.compression import (
    Budget,
    SizeAssignment,
    align,
    threshold_assignment,
)
from keras_emb.datasets import Interactions
from keras_emb.search.rules.rule import Rule

__all__ = ["MagnitudePruning"]


class MagnitudePruning(Rule):
    """Keeps the largest entries of all tables together.

    "Network pruning" in DNIS (arXiv 2006.04466): one threshold on `|E|`, the
    quantile that the budget asks for. By default the tables are aligned
    first, which is our step. After `fit`, `model` holds the model whose
    entries were ranked: retrain that one.

    >>> rule = MagnitudePruning(0.1, align=False)

    Args:
        budget: Share of the tables' parameters to keep, or bytes.
        align: Whether to turn the tables before pruning.
        structure: `"mask"` or `"prefix"`, see `threshold_assignment`.
        usages: How tables are used, for `align` on foreign models.
        features: Input feature of each table, where it cannot be read off.
    """

    def __init__(
        self,
        budget: Budget | float | int,
        *,
        align: bool = True,
        structure: Literal["mask", "prefix"] = "mask",
        usages: Sequence[Any] | None = None,
        features: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(budget, features=features)
        self.align = align
        self.structure = structure
        self.usages = usages

    def fit(
        self, backbone: keras.Model, interactions: Interactions
    ) -> SizeAssignment:
        """Sizes for a trained backbone, which stays as it is."""
        self.model = (
            align(
                backbone, self.popularity(backbone, interactions), self.usages
            )
            if self.align
            else backbone
        )
        sizes = threshold_assignment(
            self.values(self.model), self.budget, self.structure
        )
        return sizes.with_origin({"method": "magnitude", "align": self.align})
