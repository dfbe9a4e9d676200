"""Rules: the baselines of every search."""

from keras_emb.search.rules.budgeted_random import BudgetedRandom
from keras_emb.search.rules.magnitude_pruning import MagnitudePruning
from keras_emb.search.rules.mixed_random import MixedRandom
from keras_emb.search.rules.power_rule import PowerRule
from keras_emb.search.rules.random_blocks import RandomBlocks
from keras_emb.search.rules.scaled_sizes import scaled_sizes
from keras_emb.search.rules.uniform import Uniform

__all__ = [
    "BudgetedRandom",
    "MagnitudePruning",
    "MixedRandom",
    "PowerRule",
    "RandomBlocks",
    "Uniform",
    "scaled_sizes",
]
