"""Batches of two sets of examples, side by side."""

from typing import Any

import numpy as np

from keras_emb.training.batches import Batches

__all__ = ["PairedBatches"]


class PairedBatches:
    """Training batches beside validation batches, for `BilevelModel`.

    An epoch ends with the validation examples, as in the DNIS code.

    Args:
        inner: Training batches.
        outer: Validation batches.
    """

    def __init__(self, inner: Batches, outer: Batches) -> None:
        self._inner = inner
        self._outer = outer
        self.steps_per_epoch = outer.steps_per_epoch

    def stack(self, first_step: int, steps: int) -> tuple[Any, np.ndarray]:
        """`({"inner", "outer", "outer_target"}, label)` of each step."""
        features, label = self._inner.stack(first_step, steps)
        outer, target = self._outer.stack(first_step, steps)
        return {
            "inner": features,
            "outer": outer,
            "outer_target": target,
        }, label
