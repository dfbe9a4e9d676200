"""Quality of predicted ratings."""

import numpy as np

__all__ = ["rating_metrics"]


def rating_metrics(
    predictions: np.ndarray, labels: np.ndarray
) -> dict[str, float]:
    """Mean squared error, its root, and mean absolute error.

    >>> rating_metrics([3.0, 4.0], [3.0, 2.0])["mse"]
    2.0

    Args:
        predictions: Predicted ratings, shape `(n,)`, in stars.
        labels: Given ratings, shape `(n,)`, in stars.

    Returns:
        `{"mse", "rmse", "mae"}`, computed in float64.

    Raises:
        ValueError: If the shapes differ or there are no examples.
    """
    predictions = np.asarray(predictions, np.float64)
    labels = np.asarray(labels, np.float64)
    if predictions.shape != labels.shape or labels.size == 0:
        raise ValueError(
            "`predictions` and `labels` must have the same shape and hold at "
            f"least one example. Received: predictions={predictions.shape}, "
            f"labels={labels.shape}"
        )
    error = predictions - labels
    mse = float(np.mean(error**2))
    return {
        "mse": mse,
        "rmse": float(np.sqrt(mse)),
        "mae": float(np.mean(np.abs(error))),
    }
