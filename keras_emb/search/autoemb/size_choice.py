"""One size an id from the weights of all sizes."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["choose_sizes"]

_BISECTIONS = 60


def choose_sizes(
    weights: Mapping[str, Any],
    dims: Sequence[int],
    num_parameters: int,
    importance: Mapping[str, Any] | None = None,
) -> dict[str, np.ndarray]:
    """The sizes of greatest weight that a budget allows.

    Maximises `sum_i q_i w_{i, n(i)}` over one size n a row, with the sizes
    summing to at most the budget: Everett's multiplier `w q - price * d`,
    the lowest price that fits (exact but for less than one row), and the
    rest given to the rows that gain most a coordinate.

    >>> weights = {"user": [[0.9, 0.1], [0.4, 0.6], [0.2, 0.8]]}
    >>> choose_sizes(weights, dims=[2, 8], num_parameters=12)["user"].tolist()
    [2, 2, 8]

    Args:
        weights: Weights of the sizes for every row, `(rows, num_sizes)`, by
            table.
        dims: The sizes, ascending.
        num_parameters: Most coordinates in all.
        importance: Factor q of every row, `(rows,)`, by table; one by
            default.

    Returns:
        Sizes of shape `(rows,)` by table.

    Raises:
        ValueError: If not even the smallest size fits every row.
    """
    sizes = np.asarray(dims)
    names = list(weights)
    gain = np.concatenate(
        [
            np.asarray(weights[name], "float64")
            * _factor(name, weights, importance)[:, None]
            for name in names
        ]
    )
    lengths = [len(np.asarray(weights[name])) for name in names]
    if sizes[0] * len(gain) > num_parameters:
        raise ValueError(
            f"`num_parameters` must allow the smallest size ({sizes[0]}) for "
            f"each of the {len(gain)} rows. "
            f"Received: num_parameters={num_parameters}"
        )
    low, high = 0.0, float(gain.max()) + 1.0
    for _ in range(_BISECTIONS):
        price = (low + high) / 2
        chosen = (gain - price * sizes).argmax(axis=1)
        if sizes[chosen].sum() <= num_parameters:
            high = price
        else:
            low = price
    chosen = (gain - high * sizes).argmax(axis=1)
    _spend_rest(chosen, gain, sizes, num_parameters)
    parts = np.split(sizes[chosen], np.cumsum(lengths)[:-1])
    return dict(zip(names, parts, strict=True))


def _factor(
    name: str, weights: Mapping[str, Any], importance: Mapping[str, Any] | None
) -> np.ndarray:
    rows = len(np.asarray(weights[name]))
    if importance is None:
        return np.ones(rows)
    return np.asarray(importance[name], dtype="float64").reshape(rows)


def _spend_rest(
    chosen: np.ndarray, gain: np.ndarray, sizes: np.ndarray, limit: int
) -> None:
    """Moves rows to larger sizes they like better, while they fit."""
    rest = limit - int(sizes[chosen].sum())
    rows = np.arange(len(gain))
    extra = gain - gain[rows, chosen][:, None]
    cost = sizes[None] - sizes[chosen][:, None]
    worth = np.where((cost > 0) & (extra > 0), extra / np.maximum(cost, 1), 0)
    best = worth.argmax(axis=1)
    for row in np.argsort(-worth.max(axis=1), kind="stable"):
        price = cost[row, best[row]]
        if worth[row, best[row]] <= 0:
            break
        if price <= rest:
            chosen[row] = best[row]
            rest -= price
