"""What is kept of a model's way through a stream."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_emb.evaluation import (
    mean_by_popularity,
    popularity_before,
    prequential_scores,
    running_mean,
)

__all__ = ["EDGES", "score_stream", "weights_by_popularity"]

# Popularity bins: never seen, 1-5, 6-20, and so on.
EDGES = (0, 1, 6, 21, 51, 101, 201, 501, 1001, 1_000_000_000)


def score_stream(
    predictions: np.ndarray,
    labels: np.ndarray,
    features: Mapping[str, np.ndarray],
    task: str,
    *,
    batch_size: int,
    first_test: int,
) -> dict[str, Any]:
    """Sums up predictions made along a whole stream.

    Args:
        predictions: Shape `(n, outputs)`.
        labels: Shape `(n,)`.
        features: Rows of shape `(n,)` by feature.
        task: See `prequential_scores`.
        batch_size: Interactions a batch.
        first_test: First interaction of the test part.

    Returns:
        `metrics` (`validation`: before the test part, `test`, `all`; each
        with `loss` and `accuracy`), `by_popularity` by feature over the whole
        stream and over its test part, and `along` it.
    """
    loss, correct = prequential_scores(predictions, labels, task)
    parts = {
        "validation": slice(0, first_test),
        "test": slice(first_test, None),
        "all": slice(None),
    }
    scores = {"loss": loss}
    if correct is not None:
        scores["accuracy"] = correct.astype("float64")
    popularity = {
        name: popularity_before(rows, batch_size)
        for name, rows in features.items()
    }
    return {
        "metrics": {
            part: {
                name: float(values[rows].mean())
                for name, values in scores.items()
            }
            for part, rows in parts.items()
        },
        "by_popularity": {
            feature: {
                "edges": list(EDGES),
                **{
                    part: {
                        name: mean_by_popularity(
                            values[parts[part]], seen[parts[part]], EDGES
                        )
                        for name, values in scores.items()
                    }
                    for part in ("all", "test")
                },
            }
            for feature, seen in popularity.items()
        },
        "along": running_mean(loss),
    }


def weights_by_popularity(
    weights: np.ndarray, counts: np.ndarray
) -> dict[str, Any]:
    """Mean weight of every size by tenth of the seen ids, rarest first.

    Args:
        weights: Shape `(rows, num_sizes)`.
        counts: Popularity of each row, `(rows,)`.

    Returns:
        `popularity`, the mean of each tenth; `weights`, shape `(10,
        num_sizes)`; and the rank correlation with popularity of the
        smallest's and the largest's weight over the tenths.
    """
    from scipy.stats import spearmanr

    seen = np.flatnonzero(counts > 0)
    tenths = [
        rows
        for rows in np.array_split(
            seen[np.argsort(counts[seen], kind="stable")], 10
        )
        if len(rows)
    ]
    popularity = [float(counts[rows].mean()) for rows in tenths]
    means = np.array([weights[rows].mean(axis=0) for rows in tenths])
    return {
        "popularity": popularity,
        "weights": means.tolist(),
        "rank_correlation": {
            name: float(spearmanr(popularity, means[:, column]).statistic)
            for name, column in (("smallest", 0), ("largest", -1))
        },
    }
