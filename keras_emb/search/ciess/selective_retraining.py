"""The choice among all that a search has tried."""

import math
from typing import Any

import numpy as np

from keras_emb.compression import Budget
from keras_emb.search.ciess.candidate import Candidate
from keras_emb.search.ciess.evaluator import Evaluator
from keras_emb.search.ciess.search_state import SearchState
from keras_emb.search.ciess.size_space import SizeSpace
from keras_emb.search.ciess.within_budget import (
    average_candidate,
    best_candidates,
    equalized_candidates,
)

__all__ = ["SelectiveRetraining"]


class SelectiveRetraining:
    """Retrains the best candidates within a budget; the best of them wins.

    Qu et al., "Continuous Input Embedding Size Search for Recommender
    Systems", arXiv 2304.03501, Equations 15 and 16. What a candidate scored
    is kept in the state of the search, so that none is trained twice.

    >>> state = SearchState(None, {})
    >>> state.record = [
    ...     Candidate({"user": np.array(sizes)}, quality, 0.0)
    ...     for sizes, quality in (([4, 4], 1.0), ([2, 2], 0.7))
    ... ]
    >>> space = SizeSpace({"user": 2}, {"user": "user"}, d_max=4)
    >>> retraining = SelectiveRetraining(
    ...     state,
    ...     space,
    ...     evaluator=None,
    ...     seed=0,
    ...     num_candidates=1,
    ...     num_averaged=0,
    ...     equalize=False,
    ... )
    >>> retraining.candidates(Budget.of(0.5))[0].sizes["user"].tolist()
    [2, 2]

    Args:
        state: Everything the search tried.
        space: The tables.
        evaluator: What trains candidates.
        seed: Seed of these trainings.
        num_candidates: See `CIESS`.
        num_averaged: See `CIESS`.
        equalize: See `CIESS`.
    """

    def __init__(
        self,
        state: SearchState,
        space: SizeSpace,
        evaluator: Evaluator,
        seed: int,
        *,
        num_candidates: int,
        num_averaged: int,
        equalize: bool,
    ) -> None:
        self.seed = seed
        self._state = state
        self._space = space
        self._evaluator = evaluator
        self._num_candidates = num_candidates
        self._num_averaged = num_averaged
        self._equalize = equalize

    def candidates(self, budget: Budget) -> list[Candidate]:
        """What is worth retraining, averages first.

        Args:
            budget: Share of the tables' parameters, or bytes.

        Returns:
            At most `num_candidates`, the likeliest first.
        """
        return self._candidates(budget, self._averages(budget))

    def choose(self, budget: Budget) -> tuple[Candidate, dict[str, Any]]:
        """Retrains the candidates of a budget.

        Args:
            budget: Share of the tables' parameters, or bytes.

        Returns:
            The best candidate, and how it was found: `shrunk` says that the
            search tried nothing within the budget.
        """
        averages = self._averages(budget)
        candidates = self._candidates(budget, averages)
        scores = [self._retrained(candidate) for candidate in candidates]
        best = candidates[int(np.argmax(scores))]
        return best, {
            "scores": scores,
            "averaged": best in averages,
            "retrain_seed": self.seed,
            "shrunk": not any(
                self._space.fits(candidate.sizes, budget)
                for candidate in self._state.record
            ),
        }

    def _candidates(
        self, budget: Budget, averages: list[Candidate]
    ) -> list[Candidate]:
        count = self._num_candidates
        best = best_candidates(self._state.record, self._space, budget, count)
        return [*averages, *best][:count]

    def _averages(self, budget: Budget) -> list[Candidate]:
        if not self._num_averaged:
            return []
        return [
            self._average(one)
            for one in (budget, budget.halved())
            if self._space.reaches(one)
        ]

    def _average(self, budget: Budget) -> Candidate:
        average = average_candidate(
            self._state.record, self._space, budget, self._num_averaged
        )
        if not self._equalize:
            return average
        ways = equalized_candidates(average, self._space, budget)
        return max([average, *ways], key=self._valued)

    def _valued(self, candidate: Candidate) -> float:
        """What the evaluator says of sizes that the search has not tried."""
        values = self._state.values
        if candidate.digest not in values:
            evaluation = self._evaluator.evaluate(candidate.sizes, self.seed)
            values[candidate.digest] = float(evaluation.score)
            self._state.save()
        return values[candidate.digest]

    def _retrained(self, candidate: Candidate) -> float:
        scores = self._state.scores
        if candidate.digest not in scores:
            score = float(self._evaluator.retrain(candidate.sizes, self.seed))
            if not math.isfinite(score):
                raise ValueError(
                    "`retrain` of the evaluator must answer a finite number. "
                    f"Received: {score}"
                )
            scores[candidate.digest] = score
            self._state.save()
        return scores[candidate.digest]
