"""What a model is trained for, and how one tells that it got better."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any

import keras
import numpy as np

from keras_emb.evaluation.click_metrics import click_metrics
from keras_emb.evaluation.rating_metrics import rating_metrics

__all__ = ["OBJECTIVES", "Objective"]


@dataclasses.dataclass(frozen=True)
class Objective:
    """The loss of a task, its metrics, and the one that decides.

    The default is the regression of ratings; `OBJECTIVES` has the others.

    >>> objective = Objective()
    >>> objective.error({"mse": 0.5, "mae": 0.6})
    0.5
    >>> ranking = Objective(monitor="ndcg@10", larger_is_better=True)
    >>> ranking.error({"ndcg@10": 0.25})
    -0.25

    Args:
        loss: Loss of a model's outputs, anything `keras.Model.compile` takes.
        metrics: `(outputs, labels) -> metrics`, from what the model answers
            for a whole part of the data, shape `(n,)`.
        monitor: The metric by which the best epoch is told.
        larger_is_better: Whether more of it is better.
    """

    loss: Any = "mse"
    metrics: Callable[[np.ndarray, np.ndarray], Mapping[str, float]] = (
        rating_metrics
    )
    monitor: str = "mse"
    larger_is_better: bool = False

    def evaluate(
        self, outputs: np.ndarray, labels: np.ndarray
    ) -> dict[str, float]:
        """The metrics as plain numbers, which a checkpoint can hold.

        Args:
            outputs: What the model answers, shape `(n,)`.
            labels: What it should, shape `(n,)`.
        """
        found = self.metrics(outputs, labels)
        return {name: float(value) for name, value in found.items()}

    def error(self, metrics: Mapping[str, float]) -> float:
        """The monitored metric, signed so that less is better.

        Args:
            metrics: What `evaluate` returned.
        """
        value = metrics[self.monitor]
        return -value if self.larger_is_better else value


OBJECTIVES: Mapping[str, Objective] = {
    "rating": Objective(),
    "click": Objective(
        # Models of clicks answer with logits: no probability rounds to one.
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=click_metrics,
        monitor="logloss",
    ),
}
