"""Random sizes by popularity block."""

from collections.abc import Mapping

import keras
import numpy as np

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.search.dnis.blocks import popularity_blocks
from keras_emb.search.rules.rule import Rule
from keras_emb.search.rules.scaled_sizes import scaled_sizes

__all__ = ["RandomBlocks"]


class RandomBlocks(Rule):
    """One draw of random search over popularity blocks.

    The random search of DNIS (arXiv 2006.04466): from the rarest block to
    the most popular, each width is drawn between the last one and the full
    one, so widths never fall with popularity; the draw is then scaled to the
    budget. Draw with several seeds, train each, keep the best on validation.

    >>> rule = RandomBlocks(0.1, seed=3)

    Args:
        budget: Share of the tables' parameters to keep, or bytes.
        num_blocks: Number of popularity blocks.
        seed: Seed of the draw.
        features: Input feature of each table, where it cannot be read off.
    """

    def __init__(
        self,
        budget: Budget | float | int,
        *,
        num_blocks: int = 10,
        seed: int = 0,
        features: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(budget, features=features)
        self.num_blocks = num_blocks
        self.seed = seed

    def fit(
        self, backbone: keras.Model, interactions: Interactions
    ) -> SizeAssignment:
        """Sizes for a backbone."""
        popularity = self.popularity(backbone, interactions)
        blocks = popularity_blocks(popularity, self.num_blocks)
        random = np.random.default_rng(self.seed)
        # Widths as shares: one draw serves tables of different width.
        shares = np.empty(self.num_blocks)
        share = 1 / 16
        for block in reversed(range(self.num_blocks)):
            share = random.uniform(share, 1.0)
            shares[block] = share
        sizes = scaled_sizes(
            {name: shares[rows] for name, rows in blocks.items()},
            self.output_dims(backbone),
            self.budget,
        )
        return sizes.with_origin({"method": "random", "seed": self.seed})
