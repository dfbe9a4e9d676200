"""Ranks held-out items among a few others."""

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.examples import Examples
from keras_emb.datasets.implicit_interactions import ImplicitInteractions
from keras_emb.evaluation.predict import Predictor
from keras_emb.evaluation.ranking_metrics import check_cutoffs, ranking_metrics
from keras_emb.evaluation.ranking_result import RankingResult

__all__ = ["SampledRanking", "sampled_ranking_metrics"]

_FINDABLE, _COMPETES, _LOST = 1, 0, -1
_METRICS = ("hit_rate", "ndcg", "mrr")


class SampledRanking:
    """Evaluates a model by each user's held-out item among its candidates.

    The protocol of Neural Collaborative Filtering (He et al., WWW 2017) and of
    the top-k task of DNIS (arXiv 2006.04466). Of equal scores the held-out item
    comes last, so a model that says the same of everything finds nothing. An
    unknown item counts as not found. What is measured this way depends on how
    many candidates there are, and can order methods otherwise than
    `FullRanking` does (Krichene and Rendle, KDD 2020).

    >>> from keras_emb.datasets import synthetic
    >>> planted = synthetic(num_users=30, num_items=40, num_ratings=500)
    >>> data = ImplicitInteractions.leave_one_out(planted.ratings)
    >>> def unpopular_first(pairs, training):
    ...     return pairs["item"][:, None]
    >>> result = SampledRanking(data, "test")(unpopular_first)
    >>> sorted(result.metrics)[:3]
    ['sampled_hit_rate@1', 'sampled_hit_rate@10', 'sampled_hit_rate@5']

    Args:
        interactions: Data with candidates.
        part: `"validation"` or `"test"`.
        cutoffs: Lengths of the lists.

    Raises:
        ValueError: For another part, cutoffs that are not positive, or a part
            without candidates.
    """

    def __init__(
        self,
        interactions: ImplicitInteractions,
        part: Literal["validation", "test"] = "validation",
        cutoffs: Sequence[int] = (1, 5, 10),
    ) -> None:
        self.cutoffs = check_cutoffs(cutoffs)
        if not len(interactions.candidates.get(part, ())):
            raise ValueError(
                "`part` must have candidates in `interactions`, which has "
                f"{sorted(interactions.candidates)}. Received: part={part!r}"
            )
        self._lists = interactions.candidates[part]
        self._user_rows = len(interactions.vocabularies["user"])

    def examples(self) -> Examples:
        """All pairs to score, list by list, each opened by its held-out item.

        The label is 1 for a held-out item, -1 for one that is unknown and can
        not be found, and 0 for the items that compete with it.
        """
        lists = self._lists
        items = np.concatenate([lists.item[:, None], lists.others], axis=1)
        label = np.full(items.shape, _COMPETES)
        label[:, 0] = np.where(lists.item > 0, _FINDABLE, _LOST)
        exists = (items > 0) | (label != _COMPETES)
        users = np.broadcast_to(lists.user[:, None], items.shape)
        return Examples(
            {"user": users[exists], "item": items[exists]}, label[exists]
        )

    def __call__(self, model: Any) -> RankingResult:
        """Scores every list.

        Args:
            model: A Keras model that maps `{"user": (n,), "item": (n,)}` to
                `(n, 1)`.

        Returns:
            Means and every user's metrics, see `sampled_ranking_metrics`.

        Raises:
            ValueError: If a score is not finite.
        """
        examples = self.examples()
        found = sampled_ranking_metrics(
            Predictor(model)(examples.features), examples.label, self.cutoffs
        )
        return RankingResult(
            metrics={name: float(found[name].mean()) for name in found},
            per_user={name: self._of_all(found[name]) for name in found},
        )

    def _of_all(
        self, values: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.float64]:
        rows = np.zeros(self._user_rows)
        rows[self._lists.user] = values
        return rows


def sampled_ranking_metrics(
    scores: npt.ArrayLike,
    label: npt.ArrayLike,
    cutoffs: Sequence[int] = (1, 5, 10),
) -> dict[str, npt.NDArray[np.float64]]:
    """Hit rate, NDCG and MRR of lists that stand one behind the other.

    With the held-out item in place `p`: the hit rate at `k` is 1 where
    `p <= k`, NDCG `1 / log2(p + 1)` and MRR `1 / p`; all are 0 beyond `k`.

    >>> label = [1, 0, 0, 1, 0]
    >>> found = sampled_ranking_metrics([3, 5, 1, 2, 0], label, [1, 2])
    >>> found["sampled_mrr@1"].tolist(), found["sampled_mrr@2"].tolist()
    ([0.0, 1.0], [0.5, 1.0])

    Args:
        scores: Shape `(n,)`.
        label: As `SampledRanking.examples` has it, of the same shape.
        cutoffs: How many of the first places count.

    Returns:
        float64 arrays with a value for each list, by `"sampled_hit_rate@k"`,
        `"sampled_ndcg@k"` and `"sampled_mrr@k"`.

    Raises:
        ValueError: If a score is not finite, the shapes differ, or the first
            label opens no list.
    """
    cutoffs = check_cutoffs(cutoffs)
    scores, label = np.asarray(scores), np.asarray(label)
    opens = label != _COMPETES
    if scores.shape != label.shape or label.ndim != 1 or not opens[:1].all():
        raise ValueError(
            "`scores` and `label` must be of one shape (n,), and `label` must "
            f"begin with a held-out item. Received: scores of {scores.shape}, "
            f"label of {label.shape}: {label[:3]}"
        )
    if not np.isfinite(scores).all():
        raise ValueError(
            "`scores` must be finite. Received: "
            f"{np.count_nonzero(~np.isfinite(scores))} others"
        )
    starts = np.flatnonzero(opens)
    own = scores[starts][np.cumsum(opens) - 1]
    # The held-out item itself is the one of its place.
    places = np.add.reduceat((scores >= own).astype(np.int64), starts)
    hits = (places[:, None] == np.arange(1, max(cutoffs) + 1)) & (
        label[starts] == _FINDABLE
    )[:, None]
    found = ranking_metrics(hits, np.ones(len(starts), np.int64), cutoffs)
    return {
        f"sampled_{name}@{cutoff}": found[f"{name}@{cutoff}"]
        for name in _METRICS
        for cutoff in cutoffs
    }
