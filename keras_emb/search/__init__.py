"""Searches: each returns a `SizeAssignment`, nothing else."""

from keras_emb.search.autodim import AutoDim
from keras_emb.search.autoemb import AutoEmb
from keras_emb.search.ciess import CIESS
from keras_emb.search.dnis import DNIS
from keras_emb.search.pep import PEP
from keras_emb.search.rules import (
    BudgetedRandom,
    MagnitudePruning,
    MixedRandom,
    PowerRule,
    RandomBlocks,
    Uniform,
)

__all__ = [
    "CIESS",
    "DNIS",
    "PEP",
    "AutoDim",
    "AutoEmb",
    "BudgetedRandom",
    "MagnitudePruning",
    "MixedRandom",
    "PowerRule",
    "RandomBlocks",
    "Uniform",
]
