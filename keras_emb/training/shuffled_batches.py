"""Batches sliced from arrays, reproducible at any step."""

from collections.abc import Mapping

import numpy as np

from keras_emb.training.shuffled_rows import ShuffledRows

__all__ = ["ShuffledBatches"]


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
