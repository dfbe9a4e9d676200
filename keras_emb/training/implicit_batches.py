"""Positives with negatives that are drawn anew in every epoch."""

import numpy as np
import numpy.typing as npt

from keras_emb.datasets import AbsentItems, Examples
from keras_emb.training.shuffled_rows import ShuffledRows

__all__ = ["ImplicitBatches"]


class ImplicitBatches:
    """Batches of positives among fresh negatives.

    He et al., "Neural Collaborative Filtering", WWW 2017, Section 3.1.1: an
    epoch holds every positive once, with label 1, and for each as many
    negatives, with label 0, drawn from the items the user has not. Negatives
    are drawn from `(seed, epoch)` alone, and so is the order: an interrupted
    run goes on with the very batches it would have seen.

    >>> positives = Examples({"user": [1, 1], "item": [1, 2]}, label=[1, 1])
    >>> absent = AbsentItems([1, 1], [1, 2], num_users=2, num_items=5)
    >>> batches = ImplicitBatches(
    ...     positives, absent, negatives=4, batch_size=5, seed=0
    ... )
    >>> features, label = batches.stack(0, batches.steps_per_epoch)
    >>> features["item"].shape, float(label.sum())
    ((2, 5), 2.0)

    Args:
        positives: Examples with the features `"user"` and `"item"`; rows of
            unknown users or items are left out.
        absent: What may be a negative of a user.
        negatives: Negatives for each positive.
        batch_size: Examples a batch, of both kinds.
        seed: Seed of the order and of the negatives.

    Raises:
        ValueError: If there are no positives, or `negatives` is below one.
    """

    def __init__(
        self,
        positives: Examples,
        absent: AbsentItems,
        *,
        negatives: int = 4,
        batch_size: int,
        seed: int,
    ) -> None:
        if negatives < 1:
            raise ValueError(
                "`negatives` must be at least 1. "
                f"Received: negatives={negatives}"
            )
        user, item = positives.features["user"], positives.features["item"]
        known = np.flatnonzero((user > 0) & (item > 0))
        if not known.size:
            raise ValueError(
                "`positives` must hold a known user with a known item. "
                f"Received: none in {len(positives)} rows"
            )
        # In the order of users their negatives are found faster.
        known = known[np.argsort(user[known], kind="stable")]
        self._user, self._item = user[known], item[known]
        self._absent = absent
        self._group = 1 + negatives
        self._seed = seed
        self._rows = ShuffledRows(len(known) * self._group, batch_size, seed)
        self.batch_size = self._rows.batch_size
        self.steps_per_epoch = self._rows.steps_per_epoch
        self._items: dict[int, npt.NDArray[np.int32]] = {}

    def stack(
        self, first_step: int, steps: int
    ) -> tuple[dict[str, npt.NDArray[np.int32]], npt.NDArray[np.float32]]:
        """Features and labels of `steps` batches from `first_step` on."""
        parts = self._rows.parts(first_step, steps)
        self._items = {
            epoch: self._items[epoch]
            if epoch in self._items
            else self._draw(epoch)
            for epoch, _ in parts
        }
        shape = (steps, self.batch_size)
        rows = np.concatenate([part for _, part in parts])
        items = np.concatenate(
            [self._items[epoch][part] for epoch, part in parts]
        )
        places, kinds = np.divmod(rows, self._group)
        return {
            "user": self._user[places].reshape(shape),
            "item": items.reshape(shape),
        }, (kinds == 0).astype(np.float32).reshape(shape)

    def _draw(self, epoch: int) -> npt.NDArray[np.int32]:
        """An epoch's items: each positive, and behind it its negatives."""
        items = np.empty((len(self._user), self._group), np.int32)
        items[:, 0] = self._item
        users = np.repeat(self._user, self._group - 1)
        # A third number: the first two alone give the order.
        random = np.random.default_rng([self._seed, epoch, 1])
        items[:, 1:] = self._absent.draw(users, random).reshape(len(items), -1)
        return items.ravel()
