"""Quality of predicted clicks."""

import numpy as np
import scipy.stats

__all__ = ["click_metrics"]


def click_metrics(logits: np.ndarray, labels: np.ndarray) -> dict[str, float]:
    """Logarithmic loss and area under the ROC curve.

    The area is exact: the probability that a click scores above a non-click,
    ties counted half, by ranks (Mann and Whitney, 1947).

    >>> found = click_metrics([2.0, -1.0, 0.0], [1.0, 0.0, 1.0])
    >>> round(found["logloss"], 4), found["auc"]
    (0.3778, 1.0)

    Args:
        logits: Scores before the sigmoid, shape `(n,)`.
        labels: Ones for clicks, zeros for the rest, shape `(n,)`.

    Returns:
        `{"logloss", "auc"}`, computed in float64.

    Raises:
        ValueError: If the shapes differ, a label is neither 0 nor 1, or all
            are the same.
    """
    logits = np.asarray(logits, np.float64)
    labels = np.asarray(labels, np.float64)
    clicks = int(np.count_nonzero(labels == 1))
    others = int(np.count_nonzero(labels == 0))
    if logits.shape != labels.shape or logits.ndim != 1:
        raise ValueError(
            "`logits` and `labels` must have the same shape (n,). Received: "
            f"logits={logits.shape}, labels={labels.shape}"
        )
    if clicks + others != labels.size or not clicks or not others:
        raise ValueError(
            "`labels` must be 0 or 1 and hold both. Received: "
            f"{clicks} ones and {others} zeros among {labels.size} labels"
        )
    loss = np.logaddexp(0.0, logits) - labels * logits
    ranks = scipy.stats.rankdata(logits)
    above = ranks[labels == 1].sum() - clicks * (clicks + 1) / 2
    return {
        "logloss": float(loss.mean()),
        "auc": float(above / (clicks * others)),
    }
