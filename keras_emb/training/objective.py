"""What a model is trained for, and how one tells that it got better."""

import dataclasses
import math
from collections.abc import Callable, Mapping
from typing import Any, Literal

import numpy as np

from keras_emb.datasets import Examples, Interactions
from keras_emb.evaluation.predict import Predictor
from keras_emb.evaluation.rating_metrics import rating_metrics
from keras_emb.training.batches import Batches
from keras_emb.training.shuffled_batches import ShuffledBatches

__all__ = ["Objective"]


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
        logits: Whether models answer with logits of labels 0 and 1.
    """

    loss: Any = "mse"
    metrics: Callable[[np.ndarray, np.ndarray], Mapping[str, float]] = (
        rating_metrics
    )
    monitor: str = "mse"
    larger_is_better: bool = False
    logits: bool = False

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

    def batches(
        self,
        interactions: Interactions,
        part: Literal["train", "validation"],
        *,
        batch_size: int,
        seed: int,
    ) -> Batches:
        """What a part of the data is learnt in.

        Args:
            interactions: The data.
            part: The training part, or the validation part where weights of
                selection learn from it.
            batch_size: Examples a batch.
            seed: Seed of everything random.
        """
        examples: Examples = getattr(interactions, part)
        return ShuffledBatches(
            examples.features,
            examples.label,
            batch_size=batch_size,
            seed=seed,
        )

    def watched(
        self,
        interactions: Interactions,
        part: Literal["validation", "test"] = "validation",
    ) -> Examples:
        """The examples that the metrics are of.

        Args:
            interactions: The data.
            part: Which part of them.
        """
        examples: Examples = getattr(interactions, part)
        return examples

    def measure(
        self,
        model: Any,
        interactions: Interactions,
        part: Literal["validation", "test"],
    ) -> dict[str, float]:
        """All metrics of a trained model on a part of the data.

        Args:
            model: A Keras model of the interactions' features.
            interactions: The data.
            part: Which part of them.
        """
        examples = self.watched(interactions, part)
        outputs = Predictor(model)(examples.features)
        return self.evaluate(outputs, examples.label)

    def importance(self, interactions: Interactions) -> dict[str, np.ndarray]:
        """How much each row counts in what the metrics say.

        Here every example counts the same, so it is the popularity.

        Args:
            interactions: The data.

        Returns:
            Float arrays of shape `(rows,)` by input feature, which count
            the training examples.
        """
        return {
            feature: np.asarray(counts, dtype="float64")
            for feature, counts in interactions.popularity.items()
        }

    def output_bias(self, interactions: Interactions) -> float:
        """What a model that knows nothing should answer.

        Args:
            interactions: The data.
        """
        return self._answer(float(interactions.train.label.mean()))

    def _answer(self, mean: float) -> float:
        return math.log(mean / (1 - mean)) if self.logits else mean
