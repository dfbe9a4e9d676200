"""What values candidate sizes."""

from collections.abc import Mapping
from typing import Protocol

import numpy as np

from keras_emb.search.ciess.evaluation import Evaluation

__all__ = ["Evaluator"]


class Evaluator(Protocol):
    """Values sizes with a recommender: the search's only view of one.

    Sizes come as int32 arrays of shape `(rows,)` by side, each in
    `1 .. d_max`. Equal arguments must give equal answers, else a resumed
    search differs from one that was never interrupted. An attribute
    `fingerprint` is heeded where there is one: plain values that a search to
    be resumed must have in common with the one that was interrupted.

    >>> import numpy as np
    >>> from keras_emb.search.ciess import Evaluation
    >>> class FourAreEnough:
    ...     def full_size(self):
    ...         return Evaluation({"user": np.ones(3)}, score=1.0)
    ...     def evaluate(self, sizes, seed):
    ...         quality = np.minimum(sizes["user"] / 4, 1)
    ...         return Evaluation({"user": quality}, score=quality.mean())
    ...     def retrain(self, sizes, seed):
    ...         return self.evaluate(sizes, seed).score
    >>> evaluator: Evaluator = FourAreEnough()
    >>> float(evaluator.retrain({"user": np.array([4, 2, 4])}, seed=0))
    0.8333333333333334
    """

    def full_size(self) -> Evaluation:
        """The full-size recommender, trained to convergence.

        Called once; its quality divides that of all candidates.
        """

    def evaluate(
        self, sizes: Mapping[str, np.ndarray], seed: int
    ) -> Evaluation:
        """A recommender with these sizes, as the search sees it.

        Args:
            sizes: Sizes by side.
            seed: Seed of whatever is random in it, another each time.
        """

    def retrain(self, sizes: Mapping[str, np.ndarray], seed: int) -> float:
        """Score of a recommender trained to convergence at these sizes.

        Args:
            sizes: Sizes by side.
            seed: Seed of whatever is random in it.
        """
