"""Batches sliced from arrays, reproducible at any step."""

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np

from keras_emb.training.shuffled_rows import ShuffledRows

__all__ = ["Batches", "PairedBatches", "ShuffledBatches"]


class Batches(Protocol):
    """Anything that gives the batches of a range of steps."""

    steps_per_epoch: int

    def stack(self, first_step: int, steps: int) -> Any:
        """Batches as a nest of arrays of shape `(steps, batch, ...)`."""


class ShuffledBatches:
    """Batches of equal size from endlessly repeated, reshuffled examples.

    Step `t` covers the positions `t * batch_size` and following of a stream
    of permutations, one an epoch, each drawn from `(seed, epoch)` alone: an
    interrupted run goes on with the very batches it would have seen.

    >>> import numpy as np
    >>> batches = ShuffledBatches(
    ...     {"user": np.arange(5)}, np.zeros(5), batch_size=2, seed=0
    ... )
    >>> features, label = batches.stack(0, 3)
    >>> features["user"].shape
    (3, 2)

    Args:
        features: Arrays of shape `(n, ...)`.
        label: Array of shape `(n,)`.
        batch_size: Examples a batch; at most `n` are taken.
        seed: Seed of the permutations.

    Raises:
        ValueError: If there are no examples.
    """

    def __init__(
        self,
        features: Mapping[str, np.ndarray],
        label: np.ndarray,
        *,
        batch_size: int,
        seed: int,
    ) -> None:
        if len(label) == 0:
            raise ValueError(
                "Training needs at least one example. Received: len(label)=0"
            )
        self._features = dict(features)
        self._label = label
        self._rows = ShuffledRows(len(label), batch_size, seed)
        self.batch_size = self._rows.batch_size
        self.steps_per_epoch = self._rows.steps_per_epoch

    def stack(
        self, first_step: int, steps: int
    ) -> tuple[dict[str, np.ndarray], np.ndarray]:
        """Features and labels of `steps` batches from `first_step` on."""
        parts = self._rows.parts(first_step, steps)
        positions = np.concatenate([rows for _, rows in parts])
        shape = (steps, self.batch_size)
        features = {
            key: value[positions].reshape(shape + value.shape[1:])
            for key, value in self._features.items()
        }
        return features, self._label[positions].reshape(shape)


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
