"""Keeping the largest entries of all tables."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from keras_emb.compression.budget import Budget
from keras_emb.compression.leading_worth import leading_worth
from keras_emb.compression.size_assignment import SizeAssignment
from keras_emb.compression.table_sizes import TableSizes

__all__ = ["largest_within", "threshold_assignment"]


def threshold_assignment(
    tables: Mapping[str, Any],
    budget: Budget | float | int,
    structure: Literal["mask", "prefix"] = "mask",
    weights: Mapping[str, Any] | None = None,
) -> SizeAssignment:
    """Cuts every entry below one threshold, the same for all tables.

    The threshold is the quantile of `|E|` over all tables that the budget
    asks for: the pruning rule of DNIS (arXiv 2006.04466) and of magnitude
    pruning. Of entries equal to the threshold the first ones are kept, so
    the budget is met to the entry and never exceeded.

    >>> import numpy as np
    >>> table = np.array([[0.1, -3.0], [2.0, 0.2]])
    >>> threshold_assignment({"user": table}, 0.5).mask("user").tolist()
    [[False, True], [True, False]]

    Args:
        tables: Arrays of shape `(rows, output_dim)` by table name.
        budget: Share of the parameters, or bytes with the index counted.
        structure: `"mask"`: exactly the entries above the threshold;
            `"prefix"`: the leading entries of each row that together have the
            largest sum of squares, for tables whose coordinates are sorted
            by worth (see `align` and `leading_worth`).
        weights: What entries are multiplied by before they are compared,
            non-negative arrays of the tables' shapes by name, see
            `entry_weights`; all entries weigh the same by default.

    Returns:
        The assignment, within the budget.

    Raises:
        ValueError: If `structure` is unknown, a table is not a matrix of
            finite numbers, weights do not fit their table, or not even an
            empty assignment fits the budget.
    """
    if structure not in ("mask", "prefix"):
        raise ValueError(
            "`structure` must be 'mask' or 'prefix'. "
            f"Received: structure={structure!r}"
        )
    budget = Budget.of(budget)
    magnitudes = {
        name: _magnitudes(name, table) for name, table in tables.items()
    }
    for name, factors in (weights or {}).items():
        factors = _checked(name, factors, magnitudes)
        magnitudes[name] *= factors
    if structure == "prefix":
        magnitudes = {k: leading_worth(m) for k, m in magnitudes.items()}
    ranking = _Ranking(magnitudes, structure)
    if budget.share is not None:
        return ranking.keep(budget.num_parameters(ranking.total))
    return largest_within(ranking.keep, ranking.total, budget)


def _magnitudes(name: str, table: Any) -> np.ndarray:
    array = np.abs(np.asarray(table))
    array = array.astype("float64") if array.dtype.kind == "f" else array
    if array.ndim != 2 or not array.size or array.dtype.kind != "f":
        raise ValueError(
            "`tables` must hold floats of shape (rows, dim). Received: "
            f"shape {array.shape}, dtype {array.dtype} for table {name!r}"
        )
    if not np.isfinite(array).all():
        raise ValueError(
            "`tables` must be finite. Received: "
            f"{np.count_nonzero(~np.isfinite(array))} other entries in table "
            f"{name!r}"
        )
    return array


def _checked(
    name: str, weights: Any, magnitudes: Mapping[str, np.ndarray]
) -> np.ndarray:
    factors = np.asarray(weights, dtype="float64")
    shape = magnitudes[name].shape if name in magnitudes else None
    if factors.shape != shape or not (
        np.isfinite(factors).all() and (factors >= 0).all()
    ):
        raise ValueError(
            "`weights` must hold a finite number of at least zero for each "
            f"entry of a table in {sorted(magnitudes)}. Received: shape "
            f"{factors.shape} for {name!r} of shape {shape}"
        )
    return factors


class _Ranking:
    """Assignments by number of entries kept."""

    def __init__(
        self,
        magnitudes: Mapping[str, np.ndarray],
        structure: Literal["mask", "prefix"],
    ) -> None:
        self._magnitudes = magnitudes
        self._structure = structure
        self._ascending = np.sort(
            np.concatenate([array.ravel() for array in magnitudes.values()])
        )
        self.total = len(self._ascending)

    def keep(self, count: int) -> SizeAssignment:
        """The assignment of the `count` largest entries."""
        threshold = self._ascending[self.total - count] if count else np.inf
        above = self.total - np.searchsorted(
            self._ascending, threshold, side="right"
        )
        ties = count - int(above)
        tables = {}
        for name, magnitude in self._magnitudes.items():
            mask = magnitude > threshold
            if ties:
                equal = np.flatnonzero(magnitude == threshold)[:ties]
                mask.ravel()[equal] = True
                ties -= len(equal)
            tables[name] = (
                TableSizes(mask.shape[1], mask=mask)
                if self._structure == "mask"
                else TableSizes(mask.shape[1], sizes=mask.sum(axis=1))
            )
        return SizeAssignment(
            tables,
            {"method": "threshold", "structure": self._structure},
        )


def largest_within(
    keep: Callable[[int], SizeAssignment], total: int, budget: Budget
) -> SizeAssignment:
    """Bisects the number of entries that a budget in bytes pays for.

    Args:
        keep: Makes the assignment of a number of entries, 0 to `total`.
        total: Entries of the dense tables.
        budget: Bytes, with all that is needed to find the values.

    Returns:
        An assignment within the budget that uses it well.

    Raises:
        ValueError: If not even an empty assignment fits.
    """

    def cost(assignment: SizeAssignment) -> int:
        return assignment.memory_bytes(budget.precision)

    limit = budget.num_bytes or 0
    best = keep(0)
    if cost(best) > limit:
        raise ValueError(
            f"`budget` must hold at least the {cost(best)} bytes of an empty "
            f"assignment. Received: budget={budget}"
        )
    low, high = 0, total + 1
    while high - low > 1:
        middle = (low + high) // 2
        candidate = keep(middle)
        if cost(candidate) <= limit:
            low, best = middle, candidate
        else:
            high = middle
    return best
