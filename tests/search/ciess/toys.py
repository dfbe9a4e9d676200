"""Recommenders small enough to know what is best."""

import types

import keras
import numpy as np

from keras_emb.layers import DenseEmbedding
from keras_emb.search.ciess import Evaluation

__all__ = ["StepEvaluator", "backbone", "data", "popularity"]


def popularity(rows, seed=0):
    """Counts of each side, by the number of its rows."""
    random = np.random.default_rng(seed)
    return {
        side: random.integers(1, 100, count) for side, count in rows.items()
    }


class StepEvaluator:
    """Quality grows with size until an entity's need is met.

    Below its need `d*` an entity has the share `size / d*` of its full
    quality, above all of it: with a small price of memory the best size is
    the need, which grows with popularity.
    """

    def __init__(self, popularity, d_max, low=0.1, high=0.9):
        self.needs = {
            side: np.rint(
                d_max
                * (low + (high - low) * (f - f.min()) / (f.max() - f.min()))
            )
            for side, f in popularity.items()
        }
        self.d_max = d_max
        self.full = {
            side: np.linspace(0.1, 0.4, len(f))
            for side, f in popularity.items()
        }
        self.seeds = []
        self.retrained = []
        self.full_calls = 0

    def full_size(self):
        self.full_calls += 1
        return Evaluation(self.full, 0.25)

    def evaluate(self, sizes, seed):
        self.seeds.append(seed)
        quality = {
            side: self.full[side] * np.minimum(sizes[side] / need, 1)
            for side, need in self.needs.items()
        }
        return Evaluation(quality, float(np.mean(quality["user"])))

    def retrain(self, sizes, seed):
        self.retrained.append({k: np.array(v) for k, v in sizes.items()})
        return self.evaluate(sizes, seed).score


def backbone(counts, width):
    """A model with one table a side."""
    inputs = {
        side: keras.Input((), dtype="int32", name=side) for side in counts
    }
    rows = [
        DenseEmbedding(len(counts[side]), width, name=f"{side}_table")(ids)
        for side, ids in inputs.items()
    ]
    return keras.Model(inputs, rows)


def data(counts):
    """As much of interactions as a search looks at."""
    return types.SimpleNamespace(popularity=counts)
