"""Values sizes by training a recommender anew, as the paper does."""

from collections.abc import Mapping, Sequence

import keras
import numpy as np

from keras_emb.compression import SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.search.ciess.evaluation import Evaluation
from keras_emb.search.ciess.recommender_evaluator import (
    RecommenderEvaluator,
)
from keras_emb.search.ciess.sized_recommender import SizedRecommender
from keras_emb.training import PairwiseRecipe

__all__ = ["RetrainEvaluator"]


class RetrainEvaluator(RecommenderEvaluator):
    """Trains a fresh recommender a short while for every candidate.

    Qu et al., "Continuous Input Embedding Size Search for Recommender
    Systems", arXiv 2304.03501, Algorithm 1: the quality of sizes is that of a
    recommender trained with them from a random start, against one of full
    size trained to convergence.

    Args:
        model: The full-size recommender, trained to convergence.
        interactions: Training and validation examples.
        recipe: How recommenders are trained to convergence.
        steps: Steps of training that a candidate gets.
        cutoffs: Lengths of the lists that quality is the mean over.
    """

    def __init__(
        self,
        model: keras.Model,
        interactions: Interactions,
        recipe: PairwiseRecipe,
        *,
        steps: int = 250,
        cutoffs: Sequence[int] = (5, 10, 20),
    ) -> None:
        if steps < 1:
            raise ValueError(
                f"`steps` must be at least 1. Received: steps={steps}"
            )
        super().__init__(
            SizedRecommender(model, interactions, recipe, cutoffs),
            model,
            recipe,
            steps,
        )
        self.steps = steps

    def evaluate(
        self, sizes: Mapping[str, np.ndarray], seed: int
    ) -> Evaluation:
        """Quality after a short training.

        Args:
            sizes: Sizes by side.
            seed: Seed of first weights and triplets.
        """
        self.recommender.start(sizes, seed)
        self.recommender.train(seed, max_steps=self.steps, validated=False)
        return self.recommender.evaluation()

    def retrain(
        self, sizes: Mapping[str, np.ndarray] | SizeAssignment, seed: int
    ) -> float:
        """Quality after training to convergence.

        Args:
            sizes: Sizes by side.
            seed: Seed of first weights and triplets.
        """
        self.recommender.start(sizes, seed)
        return self.recommender.train(seed).best["quality"]
