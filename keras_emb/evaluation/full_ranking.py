"""Ranks all items for all users."""

import weakref
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.examples import Examples
from keras_emb.datasets.interactions import Interactions
from keras_emb.evaluation.code_ranker import CodeRanker
from keras_emb.evaluation.known_pairs import known_pairs
from keras_emb.evaluation.pair_ranker import PairRanker
from keras_emb.evaluation.ranking_metrics import check_cutoffs, ranking_metrics
from keras_emb.evaluation.ranking_result import RankingResult

__all__ = ["FullRanking"]

# 8 MB of scores a block: more are slower, as they leave the caches.
_BLOCK_SCORES = 1 << 21


class FullRanking:
    """Evaluates a model by the places it gives each user's held-out items.

    Every item of the vocabulary competes, but for row 0, which stands for
    unknown ids, and the items the user is known to have seen: those of the
    training part, and of the validation part when the test part is ranked: the
    protocol of Qu et al., arXiv 2304.03501. Of equal scores the lower row comes
    first.

    The positives are the different pairs of the part. A pair seen before is
    none. An item that no training row holds counts as a positive but cannot be
    found; since all such items share row 0, each of their rows counts. Rows of
    unknown users are left out.

    Means are over users with at least one positive. CIESS's code takes all
    users, which makes no difference where, as in its split, all have some.

    Scores stand in memory for one block of users at a time. An object can be
    called with one model after the other; it traces each once and sees the
    weights of the moment.

    >>> import tensorflow as tf
    >>> from keras_emb.datasets import Examples, Vocabulary
    >>> interactions = Interactions(
    ...     train=Examples({"user": [1, 2], "item": [1, 2]}, label=[1, 1]),
    ...     validation=Examples({"user": [1, 2], "item": [3, 1]}, label=[1, 1]),
    ...     test=Examples({"user": [1], "item": [2]}, label=[1]),
    ...     vocabularies={
    ...         "user": Vocabulary([7, 8]),
    ...         "item": Vocabulary([4, 5, 6]),
    ...     },
    ...     split={"name": "mine"},
    ... )
    >>> class LaterRowsFirst:
    ...     def encode(self):
    ...         return tf.ones((3, 1)), tf.range(4.0)[:, None]
    ...     def score_codes(self, user_codes, item_codes):
    ...         return tf.matmul(user_codes, item_codes, transpose_b=True)
    >>> result = FullRanking(interactions, cutoffs=[1, 2])(LaterRowsFirst())
    >>> result.metrics["recall@1"], result.per_user["mrr@2"]
    (0.5, array([0. , 1. , 0.5]))

    Args:
        interactions: Data with the features `"user"` and `"item"`.
        part: `"validation"` or `"test"`.
        cutoffs: Lengths of the lists, see `ranking_metrics`. Places that the
            catalogue cannot fill hold nothing.
        block_size: Users scored at a time; by default as many as give about
            two million scores.

    Raises:
        ValueError: For other features or another part, cutoffs or a block size
            that are not positive, or a part without any positive.
    """

    def __init__(
        self,
        interactions: Interactions,
        part: Literal["validation", "test"] = "validation",
        cutoffs: Sequence[int] = (5, 10, 20),
        block_size: int | None = None,
    ) -> None:
        self.cutoffs = check_cutoffs(cutoffs)
        _check(interactions, part)
        user_rows = len(interactions.vocabularies["user"])
        self._item_rows = len(interactions.vocabularies["item"])
        if block_size is None:
            block_size = max(_BLOCK_SCORES // self._item_rows, 1)
        if block_size < 1:
            raise ValueError(
                "`block_size` must be at least 1. "
                f"Received: block_size={block_size}"
            )
        self._block_size = block_size
        held_out: Examples = getattr(interactions, part)
        seen = _seen(interactions, part, self._item_rows)
        pairs = known_pairs(held_out, self._item_rows)
        positives = pairs[~_within(pairs, seen)]
        self._num_positives = np.bincount(
            positives // self._item_rows, minlength=user_rows
        ) + _unknown_items(held_out, user_rows)
        self._users = np.flatnonzero(self._num_positives).astype(np.int32)
        if not self._users.size:
            raise ValueError(
                f"The {part} part of `interactions` must hold an item that a "
                "known user has not seen before. "
                f"Received: none in {len(held_out)} rows"
            )
        # Nobody is recommended row 0.
        never = self._users.astype(np.int64) * self._item_rows
        self._seen = self._by_number(np.sort(np.concatenate([seen, never])))
        self._positives = self._by_number(positives)
        self._rankers: weakref.WeakKeyDictionary[Any, Any] = (
            weakref.WeakKeyDictionary()
        )

    def __call__(self, model: Any) -> RankingResult:
        """Ranks all items for every user with a positive.

        Args:
            model: Either anything with `encode()`, which returns the codes of
                all users and of all items, tensors of shapes `(user_rows, k)`
                and `(item_rows, k2)`, and `score_codes(user_codes,
                item_codes)`, which returns the scores of a block of users,
                `(block, item_rows)`; or a Keras model that maps `{"user":
                (n,), "item": (n,)}` to `(n, 1)`, which is asked pair by pair.

        Returns:
            Means and every user's metrics, see `ranking_metrics`.

        Raises:
            ValueError: If the codes have other numbers of rows than the
                vocabularies, or a score is not finite.
        """
        rank = self._ranker(model).start()
        hits = np.concatenate(
            [
                self._hits(rank, first)
                for first in range(0, len(self._users), self._block_size)
            ]
        )
        found = ranking_metrics(
            hits, self._num_positives[self._users], self.cutoffs
        )
        return RankingResult(
            metrics={name: float(found[name].mean()) for name in found},
            per_user={name: self._of_all(found[name]) for name in found},
        )

    def _ranker(self, model: Any) -> Any:
        if model not in self._rankers:
            kind: type[CodeRanker] | type[PairRanker]
            kind = CodeRanker if hasattr(model, "encode") else PairRanker
            # A ranker that held its model would keep its own key alive.
            self._rankers[model] = kind(
                weakref.proxy(model),
                rows=(len(self._num_positives), self._item_rows),
                places=min(max(self.cutoffs), self._item_rows - 1),
            )
        return self._rankers[model]

    def _hits(self, rank: Any, first: int) -> npt.NDArray[np.bool_]:
        """Which places of a block of users hold positives."""
        users = self._users[first : first + self._block_size]
        numbers = np.arange(first, first + len(users))
        ends = np.array([first, first + len(users)]) * self._item_rows
        low, high = np.searchsorted(self._seen, ends)
        items, _, finite = rank(users, self._seen[low:high] - ends[0])
        if not finite:
            raise ValueError(
                "`model` must give every pair a finite score. "
                "Received: scores that are not finite"
            )
        keys = numbers[:, None] * self._item_rows + items.numpy()
        return _within(keys, self._positives)

    def _of_all(
        self, values: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        rows = np.zeros(len(self._num_positives))
        rows[self._users] = values
        return rows

    def _by_number(self, keys: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Keys of the ranked users, counted among themselves."""
        users, items = np.divmod(keys, self._item_rows)
        ranked = self._num_positives[users] > 0
        numbers = np.searchsorted(self._users, users[ranked])
        return np.asarray(numbers * self._item_rows + items[ranked])


def _check(interactions: Interactions, part: str) -> None:
    if part not in ("validation", "test"):
        raise ValueError(
            f"`part` must be 'validation' or 'test'. Received: part={part!r}"
        )
    if set(interactions.vocabularies) != {"user", "item"}:
        raise ValueError(
            "`interactions` must have the features 'user' and 'item'. "
            f"Received: {sorted(interactions.vocabularies)}"
        )


def _seen(
    interactions: Interactions, part: str, item_rows: int
) -> npt.NDArray[np.int64]:
    """The pairs that are not recommended again, ascending."""
    parts = [interactions.train]
    if part == "test":
        parts.append(interactions.validation)
    return np.sort(
        np.concatenate([known_pairs(seen, item_rows) for seen in parts])
    )


def _unknown_items(part: Examples, user_rows: int) -> npt.NDArray[np.int64]:
    """How many unknown items each known user has."""
    user, item = part.features["user"], part.features["item"]
    return np.bincount(user[(user > 0) & (item == 0)], minlength=user_rows)


def _within(
    keys: npt.NDArray[np.int64], ascending: npt.NDArray[np.int64]
) -> npt.NDArray[np.bool_]:
    """Which keys are among ascending ones."""
    first = np.searchsorted(ascending, keys, side="left")
    return np.asarray(np.searchsorted(ascending, keys, side="right") > first)
