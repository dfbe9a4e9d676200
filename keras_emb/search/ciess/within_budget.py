"""Which candidates a budget allows."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_emb.compression import Budget
from keras_emb.search.ciess.candidate import Candidate
from keras_emb.search.ciess.size_space import SizeSpace
from keras_emb.search.rules import scaled_sizes

__all__ = [
    "average_candidate",
    "best_candidates",
    "equalized_candidates",
    "shrink",
]

# Equal sizes come last.
_POWERS = (0.5, 0.25, 0.125, 0.0)
# Candidates of up to so many times the budget's mean size, or as much less.
_NEAR = 1.5


def best_candidates(
    record: Sequence[Candidate], space: SizeSpace, budget: Budget, count: int
) -> list[Candidate]:
    """The candidates of highest quality that a budget allows.

    Qu et al., "Continuous Input Embedding Size Search for Recommender
    Systems", arXiv 2304.03501, Equation 15; equal sizes count once. Where
    the search tried nothing so small, its best candidates of the smallest
    tenth are shrunk in proportion (`shrink`): our step, not the paper's.

    >>> import numpy as np
    >>> record = [
    ...     Candidate({"user": np.array(s)}, quality, 0.0)
    ...     for s, quality in (([4, 4], 1.0), ([1, 2], 0.5), ([2, 2], 0.7))
    ... ]
    >>> space = SizeSpace({"user": 2}, {"user": "user"}, d_max=4)
    >>> best_candidates(record, space, Budget.of(0.5), count=1)[0].quality
    0.7

    Args:
        record: Everything tried.
        space: The tables.
        budget: Share of the tables' parameters, or bytes.
        count: Most candidates to return.

    Returns:
        At most `count` candidates within the budget, the best first.
    """
    best: dict[str, Candidate] = {}
    for candidate in sorted(record, key=lambda c: -c.quality):
        best.setdefault(candidate.digest, candidate)
    distinct = list(best.values())
    allowed = [c for c in distinct if space.fits(c.sizes, budget)]
    if not allowed:
        smallest = sorted(distinct, key=lambda c: c.mean_size)
        near = smallest[: max(count, len(smallest) // 10)]
        near.sort(key=lambda c: -c.quality)
        allowed = [shrink(c, space, budget) for c in near[:count]]
    return allowed[:count]


def average_candidate(
    record: Sequence[Candidate], space: SizeSpace, budget: Budget, count: int
) -> Candidate:
    """What the best candidates near a budget have in common.

    Every mask a search tries carries the noise of its exploration, which at
    small sizes costs more than the search gains. The mean of the proportions
    of several, scaled to the budget, does not: our step, not the paper's.

    >>> import numpy as np
    >>> record = [
    ...     Candidate({"user": np.array(s)}, 1.0, 0.0)
    ...     for s in ([3, 1], [5, 1], [4, 2])
    ... ]
    >>> space = SizeSpace({"user": 2}, {"user": "user"}, d_max=8)
    >>> average = average_candidate(record, space, Budget.of(0.25), 3)
    >>> average.sizes["user"].tolist()
    [3, 1]

    Args:
        record: Everything tried, at least one candidate.
        space: The tables.
        budget: Share of the tables' parameters, or bytes, with room for a
            coordinate a row.
        count: Most candidates to average: those of highest quality among
            the ones of about the budget's mean size, or among the nearest.

    Returns:
        Sizes within the budget; quality and score are the averaged ones'.
    """
    even = _proportional(space.even(1), space, budget)
    target = np.mean(np.concatenate(list(even.values())))
    distance = np.array([abs(np.log(c.mean_size / target)) for c in record])
    reach = max(np.log(_NEAR), float(np.sort(distance)[:count].max()))
    near = [c for c, d in zip(record, distance, strict=True) if d <= reach]
    chosen = sorted(near, key=lambda c: -c.quality)[:count]
    sizes = _proportional(
        {
            side: np.mean([c.sizes[side] / c.mean_size for c in chosen], axis=0)
            for side in space.rows
        },
        space,
        budget,
    )
    return Candidate(
        sizes,
        float(np.mean([c.quality for c in chosen])),
        float(np.mean([c.score for c in chosen])),
    )


def equalized_candidates(
    candidate: Candidate, space: SizeSpace, budget: Budget
) -> list[Candidate]:
    """Draws a candidate's sizes towards one size for all, step by step.

    A user's reward knows what its size is worth, an item's hardly does: its
    quality is that of all users who took it. So a search saves on items, more
    than some recommenders bear. These are the ways back: our step, not the
    paper's.

    >>> import numpy as np
    >>> candidate = Candidate({"user": np.array([7, 1])}, 1.0, 0.0)
    >>> space = SizeSpace({"user": 2}, {"user": "user"}, d_max=8)
    >>> found = equalized_candidates(candidate, space, Budget.of(0.5))
    >>> [c.sizes["user"].tolist() for c in found]
    [[6, 2], [5, 3], [5, 3], [4, 4]]

    Args:
        candidate: Sizes to start from.
        space: The tables.
        budget: Share of the tables' parameters, or bytes, with room for a
            coordinate a row.

    Returns:
        Candidates within the budget; quality and score are the original's.
    """
    return [
        Candidate(
            _proportional(
                {
                    side: np.asarray(rows, float) ** power
                    for side, rows in candidate.sizes.items()
                },
                space,
                budget,
            ),
            candidate.quality,
            candidate.score,
        )
        for power in _POWERS
    ]


def shrink(candidate: Candidate, space: SizeSpace, budget: Budget) -> Candidate:
    """Scales a candidate's sizes down until they meet a budget.

    >>> import numpy as np
    >>> candidate = Candidate({"user": np.array([6, 2])}, 1.0, 0.0)
    >>> space = SizeSpace({"user": 2}, {"user": "user"}, d_max=8)
    >>> shrink(candidate, space, Budget.of(0.25)).sizes["user"].tolist()
    [3, 1]

    Args:
        candidate: Sizes above the budget.
        space: The tables.
        budget: Share of the tables' parameters, or bytes, with room for a
            coordinate a row.

    Returns:
        The same proportions within the budget; its quality is the
        original's.
    """
    sizes = _proportional(candidate.sizes, space, budget)
    return Candidate(sizes, candidate.quality, candidate.score)


def _proportional(
    proportions: Mapping[str, np.ndarray], space: SizeSpace, budget: Budget
) -> dict[str, np.ndarray]:
    """Sizes of given proportions, at least 1, as large as a budget allows."""
    dims = dict.fromkeys(proportions, space.d_max)
    rows = sum(space.rows.values())

    def scaled(parameters: int) -> dict[str, np.ndarray]:
        share = Budget(share=parameters / (rows * space.d_max))
        sizes = scaled_sizes(proportions, dims, share)
        return {side: sizes.sizes(side) for side in proportions}

    # Uneven rows need an index: one coordinate a row may fit where fewer
    # parameters do not, so the search for the limit starts there.
    low, high = rows, rows * space.d_max + 1
    while high - low > 1:
        middle = (low + high) // 2
        if space.fits(scaled(middle), budget):
            low = middle
        else:
            high = middle
    return scaled(low)
