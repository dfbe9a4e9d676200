"""What evaluators that train a recommender have in common."""

import abc
import dataclasses
from collections.abc import Mapping
from typing import Any

import keras
import numpy as np

from keras_emb.compression import SizeAssignment
from keras_emb.search.ciess.evaluation import Evaluation
from keras_emb.search.ciess.sized_recommender import SizedRecommender
from keras_emb.training import PairwiseRecipe
from keras_emb.training.model_state import digest_of

__all__ = ["RecommenderEvaluator"]


class RecommenderEvaluator(abc.ABC):
    """An `Evaluator` around one recommender whose sizes are set anew.

    >>> import keras_emb
    >>> issubclass(keras_emb.AlignedEvaluator, RecommenderEvaluator)
    True

    Args:
        recommender: It starts from the weights of the full-size model.
        model: The full-size model as it was given.
        recipe: How recommenders are trained.
        steps: Steps of training that a candidate gets.

    Attributes:
        fingerprint: What a search to be resumed must have in common with the
            one that was interrupted.
    """

    def __init__(
        self,
        recommender: SizedRecommender,
        model: keras.Model,
        recipe: PairwiseRecipe,
        steps: int,
    ) -> None:
        self.recommender = recommender
        # Not of the recommender's weights: their last bits may depend on the
        # number of cores that have turned them.
        self.fingerprint: dict[str, Any] = {
            "evaluator": type(self).__name__,
            "weights": digest_of(model.get_weights()),
            "recipe": dataclasses.asdict(recipe),
            "steps": steps,
            "cutoffs": list(recommender.cutoffs),
        }

    def full_size(self) -> Evaluation:
        """The given recommender's quality."""
        self.recommender.start(self.recommender.full_sizes)
        return self.recommender.evaluation()

    @abc.abstractmethod
    def evaluate(
        self, sizes: Mapping[str, np.ndarray], seed: int
    ) -> Evaluation:
        """Quality of a candidate, see `Evaluator`."""

    @abc.abstractmethod
    def retrain(
        self, sizes: Mapping[str, np.ndarray] | SizeAssignment, seed: int
    ) -> float:
        """Quality after training to convergence, see `Evaluator`."""

    def build(
        self,
        sizes: Mapping[str, np.ndarray] | SizeAssignment,
        seed: int | None = None,
    ) -> keras.Model:
        """The recommender that `retrain` scores.

        Args:
            sizes: Sizes by side, or an assignment of `CIESS`.
            seed: As for `retrain`; by default the one that `CIESS` has
                retrained these sizes with, or 0.

        Returns:
            A model of its own at these sizes, for `compact`.
        """
        if seed is None:
            origin = getattr(sizes, "origin", None) or {}
            seed = int(origin.get("retrain_seed", 0))
        self.retrain(sizes, seed)
        return self.recommender.copy()
