"""Formulas of AutoDim."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from keras import ops

__all__ = ["field_sizes", "gumbel_temperature"]


def gumbel_temperature(step: Any) -> Any:
    """Temperature of the Gumbel-softmax: `max(0.01, 1 - 0.00005 t)`.

    AutoDim (WWW 2021), Section 3.2.

    >>> round(float(gumbel_temperature(2000.0)), 6)
    0.9

    Args:
        step: Steps of training so far, a float or a tensor.

    Returns:
        A tensor.
    """
    return ops.maximum(1.0 - 5e-5 * step, 0.01)


def field_sizes(
    weights: np.ndarray,
    dims: Sequence[int],
    rows: Sequence[int],
    most_parameters: int,
) -> list[int]:
    """The likeliest size of each field, or smaller ones that fit.

    AutoDim takes the size of the largest weight. Where these do not fit, the
    field is made one candidate smaller, again and again, for which that
    costs least likelihood (`log alpha`) for a parameter freed: our step, not
    the paper's.

    >>> weights = np.array([[0.1, 0.9], [0.4, 0.6]])
    >>> field_sizes(weights, [2, 8], [100, 100], 2000)
    [8, 8]
    >>> field_sizes(weights, [2, 8], [100, 100], 1000)
    [8, 2]

    Args:
        weights: `alpha`, shape `(fields, sizes)`.
        dims: Candidate sizes, ascending.
        rows: Rows of each field.
        most_parameters: What all tables may have together.

    Returns:
        A size for each field.

    Raises:
        ValueError: If even the smallest candidates are too many.
    """
    smallest = dims[0] * sum(rows)
    if smallest > most_parameters:
        raise ValueError(
            "`budget` must leave room for the smallest candidate of every "
            f"field, {smallest} parameters. Received: {most_parameters}"
        )
    logs = np.log(np.maximum(weights, 1e-30))
    chosen = logs.argmax(axis=1)
    widths = np.asarray(dims)

    def parameters() -> int:
        return int(widths[chosen] @ np.asarray(rows))

    while parameters() > most_parameters:
        costs = [
            (logs[field, size] - logs[field, size - 1])
            / (rows[field] * (dims[size] - dims[size - 1]))
            if size
            else np.inf
            for field, size in enumerate(chosen)
        ]
        chosen[int(np.argmin(costs))] -= 1
    return [int(width) for width in widths[chosen]]
