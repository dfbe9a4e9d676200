"""Random sizes that fall with popularity, within a budget."""

from collections.abc import Mapping
from typing import Any

import keras
import numpy as np
import scipy.stats

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.layers import table_features
from keras_emb.search.rules.rule import Rule
from keras_emb.search.rules.scaled_sizes import scaled_sizes

__all__ = ["BudgetedRandom"]

_SMALLEST = 1e-6
# Largest parameter of each distribution, Section 3.2 of the paper.
_DISTRIBUTIONS = {
    "power_law": 20.0,
    "truncated_exponential": 5.0,
    "truncated_normal": 20.0,
    "log_normal": 0.5,
}


class BudgetedRandom(Rule):
    """One draw of sizes that keep the budget and the order of popularity.

    The sampler of Qu et al., "Budgeted Embedding Table for Recommender
    Systems", WSDM 2024, arXiv 2310.14884: for users and for items a
    distribution and its parameter are drawn, then a number for each row; the
    largest goes to the most popular row, and a drawn share of the budget goes
    to the users. Draw with several seeds, train each, keep the best on
    validation.

    >>> rule = BudgetedRandom(0.1, seed=3)

    Args:
        budget: Share of the tables' parameters to keep, or bytes.
        seed: Seed of the draw.
        features: Input feature of each table, where it cannot be read off.
    """

    def __init__(
        self,
        budget: Budget | float | int,
        *,
        seed: int = 0,
        features: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(budget, features=features)
        self.seed = seed

    def fit(
        self, backbone: keras.Model, interactions: Interactions
    ) -> SizeAssignment:
        """Sizes for a backbone."""
        random = np.random.default_rng(self.seed)
        names = sorted(interactions.vocabularies)
        parts = random.dirichlet(np.ones(len(names)))
        by_feature = {
            name: part * _shares(interactions.popularity[name], random)
            for name, part in zip(names, parts, strict=True)
        }
        features = self.features or table_features(backbone)
        dims = self.output_dims(backbone)
        weights = {
            name: np.maximum(by_feature[features[name]], _SMALLEST)
            for name in dims
        }
        sizes = scaled_sizes(weights, dims, self.budget)
        return sizes.with_origin(
            {"method": "budgeted_random", "seed": self.seed}
        )


def _shares(popularity: np.ndarray, random: Any) -> np.ndarray:
    """Shares of a side's budget, the largest for the most popular row."""
    name = random.choice(sorted(_DISTRIBUTIONS))
    parameter = max(random.uniform(0.0, _DISTRIBUTIONS[name]), _SMALLEST)
    distributions: dict[str, Any] = {
        "power_law": (scipy.stats.powerlaw, (parameter,)),
        "truncated_exponential": (scipy.stats.truncexpon, (parameter,)),
        "truncated_normal": (scipy.stats.truncnorm, (0.0, parameter)),
        "log_normal": (scipy.stats.lognorm, (parameter,)),
    }
    distribution, arguments = distributions[name]
    draws = np.sort(
        distribution.rvs(*arguments, size=len(popularity), random_state=random)
    )
    shares = np.empty(len(popularity))
    shares[np.argsort(popularity, kind="stable")] = draws
    return shares / max(shares.sum(), _SMALLEST)
