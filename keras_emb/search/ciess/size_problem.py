"""The search's problem, as the recommender's side sees it."""

from collections.abc import Mapping
from typing import Literal

import numpy as np

from keras_emb.search.ciess.candidate import Candidate
from keras_emb.search.ciess.evaluation import Evaluation
from keras_emb.search.ciess.evaluator import Evaluator
from keras_emb.search.ciess.formulas import (
    entity_states,
    popularity_feature,
    quality_ratio,
    reward,
)

__all__ = ["SizeProblem"]


class SizeProblem:
    """Turns sizes into rewards and states, all sides in one array.

    The agents' environment asks it over the pipe; all rows of the first
    side come first, then those of the next.

    >>> import numpy as np
    >>> from keras_emb.search.ciess import Evaluation
    >>> class Half:
    ...     def full_size(self):
    ...         return Evaluation({"user": np.ones(2)}, score=1.0)
    ...     def evaluate(self, sizes, seed):
    ...         return Evaluation({"user": np.full(2, 0.5)}, score=0.5)
    ...     def retrain(self, sizes, seed):
    ...         return 0.5
    >>> problem = SizeProblem({"user": np.array([1, 2])}, Half(), d_max=4)
    >>> problem.value_full_size()
    >>> states, rewards, candidate = problem.step(np.array([4, 2]), seed=0)
    >>> rewards.round(3)
    array([0.1, 0.4], dtype=float32)

    Args:
        popularity: Training interactions of each entity, by side.
        evaluator: What values sizes.
        d_max: Full width.
        memory_weight: The paper's lambda.
        quality: `"ratio"` against the full-size model (paper) or `"raw"`
            (reference code).
    """

    def __init__(
        self,
        popularity: Mapping[str, np.ndarray],
        evaluator: Evaluator,
        d_max: int,
        memory_weight: float = 0.4,
        quality: Literal["ratio", "raw"] = "ratio",
    ) -> None:
        self.rows = {side: len(f) for side, f in popularity.items()}
        self.popularity = np.concatenate(
            [popularity_feature(f) for f in popularity.values()]
        )
        self.evaluator = evaluator
        self.d_max = d_max
        self.memory_weight = memory_weight
        self.quality = quality
        self.full_quality: np.ndarray | None = None

    def value_full_size(self) -> None:
        """Finds what qualities are divided by, once."""
        if self.quality == "ratio" and self.full_quality is None:
            self.full_quality = self._joined(self.evaluator.full_size())

    def reset(self) -> np.ndarray:
        """States at the start of an episode: full size, no loss.

        Returns:
            float32 array of shape `(rows of all sides, 3)`.
        """
        ones = np.ones(len(self.popularity))
        return entity_states(
            self.popularity, self.d_max * ones, self.d_max, ones
        )

    def step(
        self, sizes: np.ndarray, seed: int
    ) -> tuple[np.ndarray, np.ndarray, Candidate]:
        """Values sizes.

        Args:
            sizes: Integers in `1 .. d_max`, shape `(rows of all sides,)`.
            seed: Seed of the evaluation.

        Returns:
            The next states, float32 of shape `(rows of all sides, 3)`; the
            rewards, float32 of shape `(rows of all sides,)`; the sizes as a
            candidate.
        """
        sizes = np.asarray(sizes, np.int32)
        evaluation = self.evaluator.evaluate(self.split(sizes), seed)
        quality = self._joined(evaluation)
        if self.full_quality is not None:
            quality = quality_ratio(quality, self.full_quality)
        states = entity_states(self.popularity, sizes, self.d_max, quality)
        rewards = reward(quality, sizes, self.d_max, self.memory_weight)
        candidate = Candidate(
            self.split(sizes), float(quality.mean()), float(evaluation.score)
        )
        return states, rewards.astype(np.float32), candidate

    def split(self, array: np.ndarray) -> dict[str, np.ndarray]:
        """The part of each side."""
        ends = np.cumsum(list(self.rows.values()))[:-1]
        return dict(zip(self.rows, np.split(array, ends), strict=True))

    def _joined(self, evaluation: Evaluation) -> np.ndarray:
        parts = []
        for side, rows in self.rows.items():
            part = np.asarray(evaluation.quality.get(side, ()), np.float64)
            if part.shape != (rows,) or not (part >= 0).all():
                raise ValueError(
                    "`quality` must hold a number of at least 0 for each of "
                    f"the {rows} rows of side {side!r}. Received: shape "
                    f"{part.shape}, least {part.min(initial=np.inf)}"
                )
            parts.append(part)
        return np.concatenate(parts)
