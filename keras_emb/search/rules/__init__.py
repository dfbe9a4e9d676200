"""Rules: the baselines of every search."""

from keras_emb.search.rules.magnitude_pruning import MagnitudePruning
from keras_emb.search.rules.power_rule import PowerRule
from keras_emb.search.rules.random_blocks import RandomBlocks
from keras_emb.search.rules.scaled_sizes import scaled_sizes
from keras_emb.search.rules.uniform import Uniform

__all__ = [
    "MagnitudePruning",
    "PowerRule",
    "RandomBlocks",
    "Uniform",
    "scaled_sizes",
]
