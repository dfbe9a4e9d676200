"""Pruning the smallest entries of a trained table."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras

from keras_emb.compression import (
    Budget,
    SizeAssignment,
    align,
    entry_weights,
    known_usages,
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
        alignment_power: Power of the popularity that weighs the rows in
            `align`.
        threshold_power: Power of the popularity that weighs the entries
            against the threshold, see `entry_weights`.
        structure: `"mask"` or `"prefix"`, see `threshold_assignment`.
        usages: How tables are used, for `align` on foreign models.
        features: Input feature of each table, where it cannot be read off.
    """

    def __init__(
        self,
        budget: Budget | float | int,
        *,
        align: bool = True,
        alignment_power: float = 0.5,
        threshold_power: float = 0.0,
        structure: Literal["mask", "prefix"] = "mask",
        usages: Sequence[Any] | None = None,
        features: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(budget, features=features)
        self.align = align
        self.alignment_power = alignment_power
        self.threshold_power = threshold_power
        self.structure = structure
        self.usages = usages

    def fit(
        self, backbone: keras.Model, interactions: Interactions
    ) -> SizeAssignment:
        """Sizes for a trained backbone, which stays as it is."""
        counts = self.popularity(backbone, interactions)
        self.model = (
            align(
                backbone,
                {n: c**self.alignment_power for n, c in counts.items()},
                self.usages,
            )
            if self.align
            else backbone
        )
        values = self.values(self.model)
        sizes = threshold_assignment(
            values,
            self.budget,
            self.structure,
            entry_weights(
                values,
                counts,
                power=self.threshold_power,
                aligned=self.align
                and bool(known_usages(backbone, self.usages)),
            ),
        )
        return sizes.with_origin({"method": "magnitude", "align": self.align})
