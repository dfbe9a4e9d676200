"""Scores of predictions made before they were learnt from."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = [
    "mean_by_popularity",
    "popularity_before",
    "prequential_scores",
    "running_mean",
]

_SMALLEST = 1e-7


def prequential_scores(
    predictions: npt.ArrayLike, labels: npt.ArrayLike, task: str
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.bool_] | None]:
    """Loss and correctness of every prediction.

    >>> loss, correct = prequential_scores([[0.8], [0.4]], [1, 1], "binary")
    >>> loss.round(2).tolist(), correct.tolist()
    ([0.04, 0.36], [True, False])

    Args:
        predictions: Shape `(n, 1)`, or `(n, num_classes)` for
            `"multiclass"`.
        labels: Shape `(n,)`.
        task: `"binary"`: squared error of a probability, right on its
            label's side of one half; `"multiclass"`: cross-entropy, right
            where the label's class is likeliest; `"rating"`: squared error.

    Returns:
        Losses of shape `(n,)`, and which are right, `(n,)`; `None` in the
        place of the second for `"rating"`.

    Raises:
        ValueError: If `task` is unknown.
    """
    predicted = np.asarray(predictions, dtype="float64")
    label = np.asarray(labels)
    if task == "multiclass":
        classes = label.astype("int64")
        likelihood = predicted[np.arange(len(label)), classes]
        loss = -np.log(np.maximum(likelihood, _SMALLEST))
        return loss, predicted.argmax(axis=1) == classes
    if task not in ("binary", "rating"):
        raise ValueError(
            "`task` must be 'binary', 'multiclass' or 'rating'. "
            f"Received: task={task!r}"
        )
    loss = (predicted[:, 0] - label) ** 2
    if task == "rating":
        return loss, None
    return loss, (predicted[:, 0] > 0.5) == (label > 0.5)


def popularity_before(
    ids: npt.ArrayLike, batch_size: int
) -> npt.NDArray[np.int64]:
    """How often each id of a stream had been seen before its batch.

    >>> popularity_before([5, 5, 7, 5, 5, 7], batch_size=2).tolist()
    [0, 0, 0, 2, 3, 1]

    Args:
        ids: Rows in stream order, `(n,)`.
        batch_size: Interactions a batch.

    Returns:
        Counts of shape `(n,)`.
    """
    rows = np.asarray(ids)
    counts = np.zeros(int(rows.max(initial=-1)) + 1, np.int64)
    before = np.empty(len(rows), np.int64)
    for first in range(0, len(rows), batch_size):
        batch = rows[first : first + batch_size]
        before[first : first + batch_size] = counts[batch]
        np.add.at(counts, batch, 1)
    return before


def mean_by_popularity(
    scores: npt.ArrayLike, popularity: npt.ArrayLike, edges: Sequence[int]
) -> list[float | None]:
    """Means over interactions whose id was about as popular.

    >>> mean_by_popularity([1.0, 3.0, 5.0], [0, 4, 9], edges=[0, 5, 10, 20])
    [2.0, 5.0, None]

    Args:
        scores: Shape `(n,)`.
        popularity: Popularity of each interaction's id, `(n,)`.
        edges: Bin i holds popularities from `edges[i]` to below
            `edges[i + 1]`.

    Returns:
        One mean a bin, `None` where it is empty.
    """
    values = np.asarray(scores, dtype="float64")
    bins = np.digitize(np.asarray(popularity), edges) - 1
    return [
        float(values[bins == number].mean()) if (bins == number).any() else None
        for number in range(len(edges) - 1)
    ]


def running_mean(
    scores: npt.ArrayLike, points: int = 50
) -> dict[str, list[Any]]:
    """Means of equal stretches along a stream.

    >>> running_mean([1.0, 3.0, 5.0, 7.0], points=2)
    {'interactions': [2, 4], 'mean': [2.0, 6.0]}

    Args:
        scores: Shape `(n,)`.
        points: Number of stretches, at most `n`.

    Returns:
        Where each stretch ends, and its mean.
    """
    values = np.asarray(scores, dtype="float64")
    parts = np.array_split(values, min(points, len(values)))
    return {
        "interactions": np.cumsum([len(part) for part in parts]).tolist(),
        "mean": [float(part.mean()) for part in parts],
    }
