"""Learning from positives alone, to rank."""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Any, Literal

import keras
import numpy as np

from keras_emb.datasets import Examples, ImplicitInteractions, Interactions
from keras_emb.evaluation import (
    FullRanking,
    SampledRanking,
    sampled_ranking_metrics,
)
from keras_emb.training.batches import Batches
from keras_emb.training.implicit_batches import ImplicitBatches
from keras_emb.training.objective import Objective

__all__ = ["ImplicitObjective"]

_CUTOFFS = (1, 5, 10)
_SEEN: Mapping[str, tuple[str, ...]] = {
    "train": ("train",),
    "validation": ("train", "validation"),
}


def _sampled(scores: np.ndarray, label: np.ndarray) -> dict[str, float]:
    found = sampled_ranking_metrics(scores, label, _CUTOFFS)
    return {name: float(values.mean()) for name, values in found.items()}


@dataclasses.dataclass(frozen=True)
class ImplicitObjective(Objective):
    """Positives against drawn negatives; the best epoch ranks best.

    The top-k task of DNIS (arXiv 2006.04466): binary cross-entropy with four
    fresh negatives for each positive, in training and where weights of
    selection learn from the validation part. Hit rate, NDCG and MRR at 1, 5
    and 10 are those of `SampledRanking`; `measure` has those of `FullRanking`
    beside them.

    >>> ImplicitObjective().monitor
    'sampled_ndcg@10'

    Args:
        loss: See `Objective`, as are the following four.
        metrics: Of lists as `SampledRanking.examples` lays them out.
        monitor: The metric by which the best epoch is told.
        larger_is_better: Whether more of it is better.
        logits: Whether models answer with logits.
        negatives: Negatives for each positive.
    """

    loss: Any = dataclasses.field(
        default_factory=lambda: keras.losses.BinaryCrossentropy(
            from_logits=True
        )
    )
    metrics: Callable[[np.ndarray, np.ndarray], Mapping[str, float]] = _sampled
    monitor: str = "sampled_ndcg@10"
    larger_is_better: bool = True
    logits: bool = True
    negatives: int = 4

    def batches(
        self,
        interactions: Interactions,
        part: Literal["train", "validation"],
        *,
        batch_size: int,
        seed: int,
    ) -> Batches:
        data = _implicit(interactions)
        return ImplicitBatches(
            getattr(data, part),
            data.absent_items(*_SEEN[part]),
            negatives=self.negatives,
            batch_size=batch_size,
            seed=seed,
        )

    def watched(
        self,
        interactions: Interactions,
        part: Literal["validation", "test"] = "validation",
    ) -> Examples:
        return SampledRanking(_implicit(interactions), part).examples()

    def measure(
        self,
        model: Any,
        interactions: Interactions,
        part: Literal["validation", "test"],
    ) -> dict[str, float]:
        full = FullRanking(interactions, part, _CUTOFFS)(model).metrics
        return {
            **super().measure(model, interactions, part),
            **{
                name: value
                for name, value in full.items()
                if name.startswith(("hit_rate", "ndcg", "mrr"))
            },
        }

    def importance(self, interactions: Interactions) -> dict[str, np.ndarray]:
        """How much each row counts in metrics that are means over users.

        All users count the same however much they took, and an item as much
        as it was of what each of them did.

        Args:
            interactions: The data.

        Returns:
            Float arrays of shape `(rows,)` by input feature, which count
            the training examples.
        """
        counts = super().importance(interactions)
        active = counts["user"] > 0
        mean = counts["user"].sum() / active.sum()
        features = interactions.train.features
        return {
            "user": np.where(active, mean, 0.0),
            "item": np.bincount(
                features["item"],
                mean / counts["user"][features["user"]],
                minlength=len(counts["item"]),
            ),
        }

    def output_bias(self, interactions: Interactions) -> float:
        return self._answer(1 / (1 + self.negatives))


def _implicit(interactions: Interactions) -> ImplicitInteractions:
    if not isinstance(interactions, ImplicitInteractions):
        raise ValueError(
            "`interactions` must be implicit, with candidates to rank: see "
            "`keras_emb.datasets.load_implicit`. "
            f"Received: {type(interactions).__name__}"
        )
    return interactions
