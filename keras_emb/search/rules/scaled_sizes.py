"""Sizes in given proportions, within a budget."""

from collections.abc import Mapping

import numpy as np

from keras_emb.compression import Budget, SizeAssignment, TableSizes
from keras_emb.compression.threshold_assignment import largest_within

__all__ = ["scaled_sizes"]


def scaled_sizes(
    weights: Mapping[str, np.ndarray],
    output_dims: Mapping[str, int],
    budget: Budget | float | int,
) -> SizeAssignment:
    """Scales wished-for sizes until they meet the budget.

    A row's size is `output_dim * min(1, scale * weight)`, rounded down, but
    at least one where the budget has room for a coordinate a row; the scale
    is the largest that stays within the budget. What rounding leaves over
    goes, a coordinate each, to the rows that lost most.

    >>> import numpy as np
    >>> sizes = scaled_sizes({"user": np.array([3.0, 1.0])}, {"user": 8}, 0.5)
    >>> sizes.sizes("user").tolist()
    [6, 2]

    Args:
        weights: Positive numbers of shape `(rows,)`, by table.
        output_dims: Width of each table.
        budget: Share of the parameters, or bytes with the index counted.

    Returns:
        Prefix sizes within the budget.

    Raises:
        ValueError: If a weight is not positive, or not even an empty
            assignment fits the budget.
    """
    names = list(weights)
    counts = [len(weights[name]) for name in names]
    weight = np.concatenate([np.asarray(weights[n], float) for n in names])
    width = np.repeat([output_dims[name] for name in names], counts)
    if not (np.isfinite(weight).all() and (weight > 0).all()):
        raise ValueError(
            "`weights` must be positive numbers. Received: "
            f"{weight.min()} .. {weight.max()}"
        )
    budget = Budget.of(budget)
    total = int(width.sum())

    def keep(allowed: int) -> SizeAssignment:
        sizes = _scaled(weight, width, allowed)
        parts = np.split(sizes, np.cumsum(counts)[:-1])
        return SizeAssignment(
            {
                name: TableSizes(output_dims[name], sizes=part)
                for name, part in zip(names, parts, strict=True)
            }
        )

    if budget.share is not None:
        return keep(budget.num_parameters(total))
    return largest_within(keep, total, budget)


def _scaled(weight: np.ndarray, width: np.ndarray, allowed: int) -> np.ndarray:
    """Sizes of all rows that add up to `allowed`."""
    least = 1.0 if allowed >= len(width) else 0.0

    def wished(scale: float) -> np.ndarray:
        return np.clip(width * scale * weight, least, width)

    low, high = 0.0, 1.0 / weight.min()
    for _ in range(100):
        middle = (low + high) / 2
        if np.floor(wished(middle)).sum() <= allowed:
            low = middle
        else:
            high = middle
    wish = wished(low)
    sizes = np.floor(wish).astype(np.int64)
    spare = allowed - int(sizes.sum())
    open_rows = np.flatnonzero(sizes < width)
    lost = (wish - sizes)[open_rows]
    sizes[open_rows[np.argsort(-lost, kind="stable")[:spare]]] += 1
    return sizes
