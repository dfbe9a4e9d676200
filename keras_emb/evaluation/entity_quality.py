"""How well a ranking serves every user and every item."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.interactions import Interactions
from keras_emb.evaluation.known_pairs import known_pairs
from keras_emb.evaluation.ranking_metrics import check_cutoffs
from keras_emb.evaluation.ranking_result import RankingResult

__all__ = ["quality_of_entities"]


def quality_of_entities(
    result: RankingResult,
    interactions: Interactions,
    cutoffs: Sequence[int] = (5, 10, 20),
) -> dict[str, npt.NDArray[np.float64]]:
    """Quality of the users' lists, and of the lists of each item's users.

    A user's quality is the mean of Recall and NDCG over the cutoffs, an item's
    the mean over the different users of its training rows (Qu et al., arXiv
    2304.03501, Equations 8 and 9). Users without positives have quality 0 and
    count; items without training users have quality 0.

    >>> from keras_emb.datasets import Examples, Vocabulary
    >>> part = Examples({"user": [1, 2, 2], "item": [1, 1, 2]}, label=[1, 1, 1])
    >>> vocabulary = Vocabulary([7, 8])
    >>> interactions = Interactions(
    ...     train=part,
    ...     validation=part,
    ...     test=part,
    ...     vocabularies={"user": vocabulary, "item": vocabulary},
    ...     split={"name": "mine"},
    ... )
    >>> per_user = {
    ...     "recall@5": np.array([0, 0.5, 1.0]),
    ...     "ndcg@5": np.array([0, 0.3, 0.6]),
    ... }
    >>> result = RankingResult({}, per_user)
    >>> quality_of_entities(result, interactions, cutoffs=[5])["item"].round(2)
    array([0. , 0.6, 0.8])

    Args:
        result: What `FullRanking` found.
        interactions: The data it ranked.
        cutoffs: Cutoffs of `result` to average over.

    Returns:
        `{"user": (user_rows,), "item": (item_rows,)}`, numbers in 0..1.

    Raises:
        ValueError: For cutoffs that are no positive integers or that `result`
            does not have, or a result of other users.
    """
    names = [
        f"{metric}@{cutoff}"
        for cutoff in check_cutoffs(cutoffs)
        for metric in ("recall", "ndcg")
    ]
    missing = [name for name in names if name not in result.per_user]
    if missing:
        raise ValueError(
            f"`cutoffs` must be among those of `result`. Received: "
            f"cutoffs={tuple(cutoffs)}, {missing[0]!r} is not in "
            f"{sorted(result.per_user)}"
        )
    user = np.mean([result.per_user[name] for name in names], axis=0)
    rows = {name: len(ids) for name, ids in interactions.vocabularies.items()}
    if user.shape != (rows["user"],):
        raise ValueError(
            "`result` must have a value for each of the "
            f"{rows['user']} user rows of `interactions`. "
            f"Received: values of shape {user.shape}"
        )
    pairs = known_pairs(interactions.train, rows["item"])
    users, items = np.divmod(pairs, rows["item"])
    total = np.bincount(items, user[users], minlength=rows["item"])
    count = np.bincount(items, minlength=rows["item"])
    return {"user": user, "item": total / np.maximum(count, 1)}
