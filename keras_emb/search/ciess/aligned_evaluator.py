"""Values sizes by cutting one trained, aligned recommender: our step."""

import dataclasses
from collections.abc import Mapping, Sequence

import keras
import numpy as np

from keras_emb.compression import SizeAssignment, align
from keras_emb.datasets import Interactions
from keras_emb.search.ciess.evaluation import Evaluation
from keras_emb.search.ciess.recommender_evaluator import (
    RecommenderEvaluator,
)
from keras_emb.search.ciess.sized_recommender import SizedRecommender
from keras_emb.training import PairwiseRecipe

__all__ = ["AlignedEvaluator"]


class AlignedEvaluator(RecommenderEvaluator):
    """Cuts the rows of one trained recommender instead of training others.

    The tables are turned (`keras_emb.align`), which changes no prediction, so
    that the first coordinates carry the most: cutting a row to a size is then
    nearly its best approximation of that rank. A candidate is valued without
    any training, or after a short one that validation may undo entirely.
    Where a model allows no turn, its own coordinates are cut.

    Args:
        model: The full-size recommender, trained to convergence.
        interactions: Training and validation examples.
        recipe: How the recommender was trained.
        fine_tuning_steps: Steps of training that a candidate gets.
        fine_tuning_rate: What the recipe's learning rate is multiplied by
            where cut recommenders are trained on. A model that allows no turn
            may want all of it, as a cut undoes more there.
        alignment_power: Power of the popularity that weighs the rows where
            tables are aligned.
        cutoffs: Lengths of the lists that quality is the mean over.
    """

    def __init__(
        self,
        model: keras.Model,
        interactions: Interactions,
        recipe: PairwiseRecipe,
        *,
        fine_tuning_steps: int = 0,
        fine_tuning_rate: float = 0.1,
        alignment_power: float = 0.5,
        cutoffs: Sequence[int] = (5, 10, 20),
    ) -> None:
        if fine_tuning_steps < 0:
            raise ValueError(
                "`fine_tuning_steps` must be at least 0. "
                f"Received: fine_tuning_steps={fine_tuning_steps}"
            )
        if not fine_tuning_rate > 0:
            raise ValueError(
                "`fine_tuning_rate` must be positive. "
                f"Received: fine_tuning_rate={fine_tuning_rate}"
            )
        recipe = dataclasses.replace(
            recipe, learning_rate=recipe.learning_rate * fine_tuning_rate
        )
        aligned = align(
            model,
            {
                name: counts.astype(float) ** alignment_power
                for name, counts in interactions.popularity.items()
            },
        )
        super().__init__(
            SizedRecommender(aligned, interactions, recipe, cutoffs),
            model,
            recipe,
            fine_tuning_steps,
        )
        self.fingerprint["alignment_power"] = alignment_power
        self.fine_tuning_steps = fine_tuning_steps

    def evaluate(
        self, sizes: Mapping[str, np.ndarray], seed: int
    ) -> Evaluation:
        """Quality of the cut recommender.

        Args:
            sizes: Sizes by side.
            seed: Seed of the triplets, if it is trained on.
        """
        self.recommender.start(sizes)
        if self.fine_tuning_steps:
            self.recommender.train(seed, max_steps=self.fine_tuning_steps)
        return self.recommender.evaluation()

    def retrain(
        self, sizes: Mapping[str, np.ndarray] | SizeAssignment, seed: int
    ) -> float:
        """Quality after training on from the cut values, if that helps.

        Args:
            sizes: Sizes by side.
            seed: Seed of the triplets.
        """
        self.recommender.start(sizes)
        return self.recommender.train(seed).best["quality"]
