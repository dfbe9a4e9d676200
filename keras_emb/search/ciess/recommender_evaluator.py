"""What evaluators that train a recommender have in common."""

import abc
from collections.abc import Mapping

import keras
import numpy as np

from keras_emb.compression import SizeAssignment
from keras_emb.search.ciess.evaluation import Evaluation
from keras_emb.search.ciess.sized_recommender import SizedRecommender

__all__ = ["RecommenderEvaluator"]


class RecommenderEvaluator(abc.ABC):
    """An `Evaluator` around one recommender whose sizes are set anew.

    >>> import keras_emb
    >>> issubclass(keras_emb.AlignedEvaluator, RecommenderEvaluator)
    True

    Args:
        recommender: It starts from the weights of the full-size model.
    """

    def __init__(self, recommender: SizedRecommender) -> None:
        self.recommender = recommender
        self.d_max = recommender.d_max

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
        self, sizes: Mapping[str, np.ndarray] | SizeAssignment, seed: int = 0
    ) -> keras.Model:
        """The recommender that `retrain` scores.

        Args:
            sizes: Sizes by side.
            seed: As for `retrain`.

        Returns:
            A model of its own at these sizes, for `compact` with
            `sizes_of_tables(model, sizes)`.
        """
        self.retrain(sizes, seed)
        return self.recommender.copy()
