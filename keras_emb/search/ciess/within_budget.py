"""Which candidates a budget allows."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.search.ciess.candidate import Candidate
from keras_emb.search.rules import scaled_sizes

__all__ = [
    "average_candidate",
    "best_candidates",
    "check_reachable",
    "fits",
    "is_reachable",
    "shrink",
]

# Candidates of up to so many times the budget's mean size, or as much less.
_NEAR = 1.5


def fits(sizes: SizeAssignment, budget: Budget) -> bool:
    """Whether an assignment stays within a budget.

    >>> sizes = SizeAssignment.from_sizes({"user": [1, 2]}, 4)
    >>> fits(sizes, Budget.of(0.5)), fits(sizes, Budget.of(0.25))
    (True, False)

    Args:
        sizes: The assignment.
        budget: Share of the parameters, or bytes.

    Returns:
        Whether it fits.
    """
    try:
        sizes.check(budget)
    except ValueError:
        return False
    return True


def is_reachable(rows: Mapping[str, int], d_max: int, budget: Budget) -> bool:
    """Whether a budget has room for one coordinate a row: sizes start at 1.

    >>> is_reachable({"user": 10}, 4, Budget.of(0.25))
    True

    Args:
        rows: Number of entities by side.
        d_max: Full width.
        budget: Share of the parameters, or bytes.
    """
    return fits(_narrowest(rows, d_max), budget)


def check_reachable(
    rows: Mapping[str, int], d_max: int, budget: Budget
) -> None:
    """Makes sure that a budget `is_reachable`.

    >>> check_reachable({"user": 10}, 4, Budget.of(0.25))

    Args:
        rows: Number of entities by side.
        d_max: Full width.
        budget: Share of the parameters, or bytes.

    Raises:
        ValueError: If it is not.
    """
    if not is_reachable(rows, d_max, budget):
        least = _narrowest(rows, d_max)
        raise ValueError(
            "`budget` must have room for one coordinate of every row: a share "
            f"of {least.kept_share:.4g} or "
            f"{least.memory_bytes(budget.precision)} bytes. "
            f"Received: budget={budget}"
        )


def best_candidates(
    record: Sequence[Candidate], d_max: int, budget: Budget, count: int
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
    >>> best_candidates(record, 4, Budget.of(0.5), count=1)[0].quality
    0.7

    Args:
        record: Everything tried.
        d_max: Full width.
        budget: Share of the parameters, or bytes.
        count: Most candidates to return.

    Returns:
        At most `count` candidates within the budget, the best first.
    """
    best: dict[str, Candidate] = {}
    for candidate in sorted(record, key=lambda c: -c.quality):
        best.setdefault(candidate.digest, candidate)
    distinct = list(best.values())
    allowed = [c for c in distinct if fits(_assignment(c, d_max), budget)]
    if not allowed:
        smallest = sorted(distinct, key=lambda c: c.mean_size)
        near = smallest[: max(count, len(smallest) // 10)]
        near.sort(key=lambda c: -c.quality)
        allowed = [shrink(c, d_max, budget) for c in near[:count]]
    return allowed[:count]


def average_candidate(
    record: Sequence[Candidate], d_max: int, budget: Budget, count: int
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
    >>> average_candidate(record, 8, Budget.of(0.25), 3).sizes["user"].tolist()
    [3, 1]

    Args:
        record: Everything tried, at least one candidate.
        d_max: Full width.
        budget: Share of the parameters, or bytes, with room for a
            coordinate a row.
        count: Most candidates to average: those of highest quality among
            the ones of about the budget's mean size, or among the nearest.

    Returns:
        Sizes within the budget; quality and score are the averaged ones'.
    """
    sides = {side: len(s) for side, s in record[0].sizes.items()}
    dims = dict.fromkeys(sides, d_max)
    even = scaled_sizes({s: np.ones(n) for s, n in sides.items()}, dims, budget)
    target = even.num_parameters / sum(sides.values())
    distance = np.array([abs(np.log(c.mean_size / target)) for c in record])
    reach = max(np.log(_NEAR), float(np.sort(distance)[:count].max()))
    near = [c for c, d in zip(record, distance, strict=True) if d <= reach]
    chosen = sorted(near, key=lambda c: -c.quality)[:count]
    sizes = _proportional(
        {
            side: np.mean([c.sizes[side] / c.mean_size for c in chosen], axis=0)
            for side in sides
        },
        d_max,
        budget,
    )
    return Candidate(
        {side: sizes.sizes(side) for side in sides},
        float(np.mean([c.quality for c in chosen])),
        float(np.mean([c.score for c in chosen])),
    )


def shrink(candidate: Candidate, d_max: int, budget: Budget) -> Candidate:
    """Scales a candidate's sizes down until they meet a budget.

    >>> import numpy as np
    >>> candidate = Candidate({"user": np.array([6, 2])}, 1.0, 0.0)
    >>> shrink(candidate, 8, Budget.of(0.25)).sizes["user"].tolist()
    [3, 1]

    Args:
        candidate: Sizes above the budget.
        d_max: Full width.
        budget: Share of the parameters, or bytes, with room for a
            coordinate a row.

    Returns:
        The same proportions within the budget; its quality is the
        original's.
    """
    sizes = _proportional(candidate.sizes, d_max, budget)
    return Candidate(
        {side: sizes.sizes(side) for side in candidate.sizes},
        candidate.quality,
        candidate.score,
    )


def _proportional(
    proportions: Mapping[str, np.ndarray], d_max: int, budget: Budget
) -> SizeAssignment:
    """Sizes of given proportions, at least 1, as large as a budget allows."""
    dims = dict.fromkeys(proportions, d_max)
    if budget.num_bytes is None:
        return scaled_sizes(proportions, dims, budget)
    total = sum(len(rows) * d_max for rows in proportions.values())

    def scaled(parameters: int) -> SizeAssignment:
        share = Budget(share=parameters / total)
        return scaled_sizes(proportions, dims, share)

    # Uneven rows need an index: one coordinate a row may fit where fewer
    # parameters do not, so the search for the limit starts there.
    low, high = total // d_max, total + 1
    while high - low > 1:
        middle = (low + high) // 2
        if fits(scaled(middle), budget):
            low = middle
        else:
            high = middle
    return scaled(low)


def _narrowest(rows: Mapping[str, int], d_max: int) -> SizeAssignment:
    return SizeAssignment.uniform(
        {side: (count, d_max) for side, count in rows.items()}, 1
    )


def _assignment(candidate: Candidate, d_max: int) -> SizeAssignment:
    return SizeAssignment.from_sizes(
        {k: np.asarray(v) for k, v in candidate.sizes.items()}, d_max
    )
