"""A random size for every row."""

from collections.abc import Mapping

import keras
import numpy as np

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.layers import table_features
from keras_emb.search.rules.rule import Rule
from keras_emb.search.rules.scaled_sizes import scaled_sizes

__all__ = ["MixedRandom"]


class MixedRandom(Rule):
    """Draws the size of every entity on its own.

    The baseline "mixed and random" of CIESS (arXiv 2304.03501): sizes are
    uniform on the integers `1 .. 2 m - 1` around the mean m that the budget
    allows, then scaled so that the budget holds exactly. Tables of one input
    feature share their draws.

    >>> rule = MixedRandom(0.1, seed=3)

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
        shares = {
            feature: random.random(len(vocabulary))
            for feature, vocabulary in sorted(interactions.vocabularies.items())
        }
        features = self.features or table_features(backbone)
        dims = self.output_dims(backbone)
        rows = {name: len(shares[features[name]]) for name in dims}
        even = scaled_sizes(
            {name: np.ones(count) for name, count in rows.items()},
            dims,
            self.budget,
        )
        # Floors of reals up to twice the mean are such integers.
        draws = {
            name: np.floor(
                1 + shares[features[name]] * (2 * even.kept_share * dim - 1)
            )
            for name, dim in dims.items()
        }
        sizes = scaled_sizes(
            {n: np.maximum(draws[n], 1) / dim for n, dim in dims.items()},
            dims,
            self.budget,
        )
        return sizes.with_origin({"method": "mixed_random", "seed": self.seed})
