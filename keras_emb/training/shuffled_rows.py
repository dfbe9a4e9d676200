"""Row numbers in an order that is new in every epoch."""

import numpy as np

__all__ = ["ShuffledRows"]


class ShuffledRows:
    """An endless stream of permutations, one an epoch, cut into batches.

    Each permutation is drawn from `(seed, epoch)` alone, so the rows of any
    step are known without those before.

    >>> rows = ShuffledRows(count=5, batch_size=2, seed=0)
    >>> [(epoch, len(part)) for epoch, part in rows.parts(0, steps=3)]
    [(0, 5), (1, 1)]

    Args:
        count: Number of rows.
        batch_size: Rows a batch; at most `count` are taken.
        seed: Seed of the permutations.
    """

    def __init__(self, count: int, batch_size: int, seed: int) -> None:
        self._count = count
        self._seed = seed
        self.batch_size = min(batch_size, count)
        self.steps_per_epoch = -(-count // self.batch_size)
        self._permutations: dict[int, np.ndarray] = {}

    def parts(
        self, first_step: int, steps: int
    ) -> list[tuple[int, np.ndarray]]:
        """The rows of some steps, epoch by epoch.

        Args:
            first_step: First of the steps.
            steps: How many, at least one.

        Returns:
            Epochs with their rows, in order; together `steps` batches.
        """
        start = first_step * self.batch_size
        stop = start + steps * self.batch_size
        epochs = range(start // self._count, (stop - 1) // self._count + 1)
        self._permutations = {
            epoch: self._permutations[epoch]
            if epoch in self._permutations
            else np.random.default_rng([self._seed, epoch]).permutation(
                self._count
            )
            for epoch in epochs
        }
        parts = []
        for epoch in epochs:
            offset = epoch * self._count
            rows = self._permutations[epoch]
            parts.append((epoch, rows[max(start - offset, 0) : stop - offset]))
        return parts
