"""Lists of items for any users of a model."""

from collections.abc import Mapping, Sequence
from typing import Any

import keras
import numpy as np
import numpy.typing as npt

from keras_emb.datasets import Vocabulary
from keras_emb.evaluation import CodeRanker, PairRanker

__all__ = ["ItemRecommender"]

# Scores that stand in memory at a time.
_BLOCK_SCORES = 2_000_000


class ItemRecommender:
    """Ranks all items of a model for blocks of users.

    Args:
        model: A model of the inputs `"user"` and `"item"` with one score.
        vocabularies: Raw ids of its rows; rows beyond them are free and no
            items.
        num_rows: Rows of the model's tables, by input.
        k: How many items a user gets.

    Raises:
        ValueError: If the model has other inputs or outputs, or there are
            fewer items than `k`.
    """

    def __init__(
        self,
        model: keras.Model,
        vocabularies: Mapping[str, Vocabulary],
        num_rows: Mapping[str, int],
        k: int,
    ) -> None:
        if set(num_rows) != {"user", "item"} or model.output_shape != (None, 1):
            raise ValueError(
                "`model` must give one score to inputs 'user' and 'item'. "
                f"Received: inputs {sorted(num_rows)} and an output of shape "
                f"{model.output_shape}"
            )
        known = len(vocabularies["item"])
        if not 1 <= k < known:
            raise ValueError(
                f"`k` must be a number of items between 1 and {known - 1}. "
                f"Received: k={k}"
            )
        self._item_rows, self._k = num_rows["item"], k
        ranker: type[CodeRanker] | type[PairRanker]
        ranker = CodeRanker if hasattr(model, "encode") else PairRanker
        self._ranker = ranker(
            model, rows=(num_rows["user"], self._item_rows), places=k
        )
        # Nobody is recommended the unknown item, or a row without an id.
        self._never = np.append(0, np.arange(known, self._item_rows))
        self._block = max(_BLOCK_SCORES // self._item_rows, 1)

    def __call__(
        self,
        users: npt.NDArray[np.int32],
        seen: Sequence[npt.ArrayLike],
    ) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.float32]]:
        """Ranks with the weights of the moment.

        Args:
            users: Rows of users, `(n,)`.
            seen: For each the rows of items to leave out.

        Returns:
            Rows of items and their scores, `(n, k)`. A place that no item is
            left for holds row 0 and minus infinity.

        Raises:
            ValueError: If a score is not finite.
        """
        rank: Any = self._ranker.start()
        rows = [np.zeros((0, self._k), np.int32)]
        scores = [np.zeros((0, self._k), np.float32)]
        for first in range(0, len(users), self._block):
            part = slice(first, first + self._block)
            found = rank(users[part], self._left_out(seen[part]))
            items, best, finite = (np.asarray(tensor) for tensor in found)
            if not finite:
                raise ValueError(
                    "`model` must give every pair a finite score. "
                    "Received: scores that are not finite"
                )
            rows.append(np.where(np.isneginf(best), 0, items))
            scores.append(best)
        return np.concatenate(rows), np.concatenate(scores)

    def _left_out(self, seen: Sequence[npt.ArrayLike]) -> npt.NDArray[np.int64]:
        """Places in the flattened scores of a block."""
        places = [
            number * self._item_rows
            + np.concatenate([self._never, np.asarray(items, np.int64)])
            for number, items in enumerate(seen)
        ]
        return np.concatenate(places)
