"""Quality of ranked lists, user by user."""

import operator
from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["check_cutoffs", "ranking_metrics"]


def ranking_metrics(
    hits: npt.ArrayLike,
    num_positives: npt.ArrayLike,
    cutoffs: Sequence[int] = (5, 10, 20),
) -> dict[str, npt.NDArray[np.float64]]:
    """Recall, NDCG, hit rate, MRR and MAP of every user's list.

    With `P` positives and cutoff `k`: recall is the hits in the first `k`
    places over `P`; NDCG has binary gains, the discount `log2(place + 1)` and
    the ideal list of `min(k, P)` hits; the hit rate is 1 where there is a hit;
    MRR is one over the place of the first hit; MAP is the sum of the
    precisions at the hits over `min(k, P)`. Recall and NDCG are those of Qu et
    al., arXiv 2304.03501. A user without positives has 0 everywhere.

    >>> metrics = ranking_metrics([[False, True, True]], [4], cutoffs=(1, 2))
    >>> [float(metrics[name][0]) for name in ("recall@1", "recall@2", "mrr@2")]
    [0.0, 0.25, 0.5]

    Args:
        hits: Whether each place holds a positive, best place first, shape
            `(users, places)`. Places after the last hold nothing.
        num_positives: Held-out positives of each user, found or not, shape
            `(users,)`.
        cutoffs: How many of the first places count.

    Returns:
        float64 arrays of shape `(users,)` by `"recall@k"`, `"ndcg@k"`,
        `"hit_rate@k"`, `"mrr@k"` and `"map@k"`, for every cutoff `k`.

    Raises:
        ValueError: For cutoffs that are no positive integers, other shapes, or
            more hits than positives.
    """
    cutoffs = check_cutoffs(cutoffs)
    hit = np.asarray(hits, dtype=bool)
    positives = np.asarray(num_positives)
    if hit.ndim != 2 or positives.shape != hit.shape[:1]:
        raise ValueError(
            "`hits` must be of shape (users, places) and `num_positives` of "
            f"shape (users,). Received: hits of shape {hit.shape}, "
            f"num_positives of shape {positives.shape}"
        )
    excess = np.flatnonzero(hit.sum(axis=1) > positives)
    if excess.size:
        raise ValueError(
            "`num_positives` must be at least the hits of the user. Received: "
            f"num_positives[{excess[0]}]={positives[excess[0]]} with "
            f"{hit[excess[0]].sum()} hits"
        )
    metrics: dict[str, npt.NDArray[np.float64]] = {}
    for cutoff in cutoffs:
        for name, values in _at(hit[:, :cutoff], positives, cutoff).items():
            metrics[f"{name}@{cutoff}"] = values
    return metrics


def check_cutoffs(cutoffs: Sequence[int]) -> tuple[int, ...]:
    """Refuses cutoffs that are no positive integers.

    >>> check_cutoffs([5, 10])
    (5, 10)

    Args:
        cutoffs: What is to be checked.

    Returns:
        The cutoffs.

    Raises:
        ValueError: If there is none, or one is no integer above 0.
    """
    try:
        checked = tuple(operator.index(cutoff) for cutoff in cutoffs)
    except TypeError:
        checked = ()
    if not checked or min(checked) < 1:
        raise ValueError(
            "`cutoffs` must be one or more integers of at least 1. "
            f"Received: cutoffs={cutoffs}"
        )
    return checked


def _at(
    hit: npt.NDArray[np.bool_], positives: npt.NDArray[np.int64], cutoff: int
) -> dict[str, npt.NDArray[np.float64]]:
    """The metrics of lists that are cut already."""
    places = np.arange(1, hit.shape[1] + 1)
    found = hit.sum(axis=1)
    reachable = np.minimum(positives, cutoff)
    precision = np.cumsum(hit, axis=1) / places
    ideal = np.cumsum([0.0, *_discounts(cutoff)])[reachable]
    return {
        "recall": _share(found, positives),
        "ndcg": _share(hit @ _discounts(hit.shape[1]), ideal),
        "hit_rate": (found > 0).astype(np.float64),
        "mrr": (hit / places).max(axis=1, initial=0.0),
        "map": _share((precision * hit).sum(axis=1), reachable),
    }


def _discounts(places: int) -> npt.NDArray[np.float64]:
    return np.asarray(1 / np.log2(np.arange(2, places + 2)))


def _share(
    part: npt.NDArray[Any], whole: npt.NDArray[Any]
) -> npt.NDArray[np.float64]:
    """Quotients, 0 where there is no whole."""
    # Where the whole is 0 the part is, too.
    return np.asarray(part / np.where(whole > 0, whole, 1))
