"""Continuous input embedding size search."""

import hashlib
import logging
import numbers
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import numpy as np

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.search.ciess.agent_process import AgentProcess
from keras_emb.search.ciess.candidate import Candidate
from keras_emb.search.ciess.evaluator import Evaluator
from keras_emb.search.ciess.exploration import Exploration
from keras_emb.search.ciess.saved_policies import (
    check_policies,
    describe_policies,
)
from keras_emb.search.ciess.search_state import SearchState
from keras_emb.search.ciess.size_problem import SizeProblem
from keras_emb.search.ciess.td3_settings import Td3Settings
from keras_emb.search.ciess.within_budget import (
    average_candidate,
    best_candidates,
    check_reachable,
    is_reachable,
)

__all__ = ["CIESS"]


class CIESS:
    """Searches the size of every entity by reinforcement learning.

    Qu et al., "Continuous Input Embedding Size Search for Recommender
    Systems", arXiv 2304.03501. In every iteration each user and each item is
    given a size: TD3's actor proposes one from the entity's popularity, size
    and quality, noise is added, a random walk visits sizes nearby, and the
    critic picks among them. A recommender with these sizes says what quality
    is left, the rewards teach the agents. All sizes tried are kept: the best
    within a budget are retrained, and the winner is the result.

    It differs from the reference code where TD3's paper or comparison asks
    for it: all target networks move with the actor, the last layers of the
    critics start as small as the actor's, and the sizes chosen are retrained
    on the training part alone, as validation says when to stop.

    The agents run in a process of their own (`AgentProcess`), so that
    `tf.keras` stays what it is here. They need `pip install
    keras_emb[ciess]` and a POSIX system.

    One search serves every budget: after `fit`, `assign` chooses for
    another one.

    ```python
    import keras_emb
    from keras_emb.datasets import load
    from keras_emb.zoo import LightGCN

    data = load("synthetic", split="per_user_random")
    graph = keras_emb.BipartiteGraph.from_interactions(data)
    model = LightGCN.from_graph(graph, embedding_dim=8)
    recipe = keras_emb.PairwiseRecipe(max_steps=20, batch_size=1000)
    evaluator = keras_emb.AlignedEvaluator(model, data, recipe)
    search = keras_emb.CIESS(
        0.5, evaluator=evaluator, d_max=8, episodes=1, iterations=2
    )
    sizes = search.fit(data.popularity, checkpoint_dir="search")
    smaller = search.assign(0.25)
    ```

    Args:
        budget: Share of the parameters to keep, or bytes.
        evaluator: What values sizes; see `Evaluator`.
        d_max: Full width, at least 2: that of the evaluator's recommender,
            or 128 where it does not say.
        episodes: Number of episodes, each from full size.
        iterations: Iterations of an episode.
        memory_weight: Lambda, what size costs in the reward.
        quality: Quality in rewards and states: `"ratio"` against the
            full-size model (paper) or `"raw"` (reference code; ask for a
            memory weight some ten times smaller).
        num_candidates: The paper's l, candidates retrained for a budget.
        num_averaged: The first two of them are averages of this many of the
            best near the budget, and near half of it, without the noise of
            exploration: our step; 0 as in the paper.
        exploration: Noise and walk.
        td3: Constants of TD3.
        policies: Folder written by `save_policies`: its policies are applied
            without noise, and nothing is learned.
        seed: Seed of every random choice.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        budget: Budget | float | int,
        *,
        evaluator: Evaluator,
        d_max: int | None = None,
        episodes: int = 30,
        iterations: int = 10,
        memory_weight: float = 0.4,
        quality: Literal["ratio", "raw"] = "ratio",
        num_candidates: int = 3,
        num_averaged: int = 10,
        exploration: Exploration | None = None,
        td3: Td3Settings | None = None,
        policies: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        own = getattr(evaluator, "d_max", d_max)
        if d_max is None:
            d_max = _WIDTH if own is None else own
        elif own != d_max:
            raise ValueError(
                f"`d_max` must be the width of the evaluator's recommender, "
                f"{own}. Received: d_max={d_max}"
            )
        for name, value, least in (
            ("d_max", d_max, 2),
            ("episodes", episodes, 1),
            ("iterations", iterations, 1),
            ("num_candidates", num_candidates, 1),
            ("num_averaged", num_averaged, 0),
            ("seed", seed, 0),
        ):
            if not isinstance(value, numbers.Integral) or value < least:
                raise ValueError(
                    f"`{name}` must be an integer of at least {least}. "
                    f"Received: {name}={value}"
                )
        if not memory_weight >= 0:
            raise ValueError(
                "`memory_weight` must be at least 0. "
                f"Received: memory_weight={memory_weight}"
            )
        if quality not in ("ratio", "raw"):
            raise ValueError(
                "`quality` must be 'ratio' or 'raw'. "
                f"Received: quality={quality!r}"
            )
        self.budget = Budget.of(budget)
        self.evaluator = evaluator
        self.d_max = d_max
        self.episodes = episodes
        self.iterations = iterations
        self.memory_weight = memory_weight
        self.quality = quality
        self.num_candidates = num_candidates
        self.num_averaged = num_averaged
        self.exploration = exploration or Exploration()
        self.td3 = td3 or Td3Settings()
        self.policies = str(policies) if policies is not None else None
        self.seed = seed
        self.record: list[Candidate] = []
        self.trace: list[dict[str, Any]] = []
        self.seconds = 0.0

    def fit(
        self,
        popularity: Mapping[str, Any],
        *,
        checkpoint_dir: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
        on_step: Callable[[dict[str, Any]], None] | None = None,
    ) -> SizeAssignment:
        """Searches, and chooses for the budget: `explore`, then `assign`.

        Args:
            popularity: Training interactions of each entity, shape
                `(rows,)`, by side: a name for each group of entities that
                learns together, as a rule `"user"` and `"item"`.
            checkpoint_dir: Folder for the state; an interrupted search goes
                on where it stood.
            checkpoint_seconds: Least time between two saves.
            on_step: Called with each entry of the trace.

        Returns:
            Sizes within the budget, a table for each side.

        Raises:
            AgentError: If the agents' process cannot start, fails or is
                killed.
            ValueError: If popularity is no count, the budget has no room for
                a coordinate a row, the checkpoint is of another search, or
                the policies do not fit.
        """
        self.explore(
            popularity,
            checkpoint_dir=checkpoint_dir,
            checkpoint_seconds=checkpoint_seconds,
            on_step=on_step,
        )
        return self.assign(self.budget)

    def explore(
        self,
        popularity: Mapping[str, Any],
        *,
        checkpoint_dir: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
        on_step: Callable[[dict[str, Any]], None] | None = None,
    ) -> None:
        """Searches without choosing.

        Afterwards `record` holds every candidate tried, `trace` what each
        iteration brought, `seconds` how long it took, interruptions left
        out.

        Args:
            popularity: As `fit` takes it.
            checkpoint_dir: Likewise.
            checkpoint_seconds: Likewise.
            on_step: Likewise.
        """
        counts = {side: _counts(side, f) for side, f in popularity.items()}
        self._rows = {side: len(f) for side, f in counts.items()}
        check_reachable(self._rows, self.d_max, self.budget)
        if self.policies is not None:
            check_policies(self.policies, self._rows, self.td3.hidden_units)
        self._state = SearchState(
            Path(checkpoint_dir) / "ciess.npz" if checkpoint_dir else None,
            self._fingerprint(counts),
        )
        self._state.load()
        problem = SizeProblem(
            counts,
            self.evaluator,
            self.d_max,
            self.memory_weight,
            self.quality,
        )
        problem.full_quality = self._state.full_quality
        if len(self._state.record) < self.episodes * self.iterations:
            self._search(problem, checkpoint_seconds, on_step)
        self.record = self._state.record
        self.trace = self._state.trace
        self.seconds = self._state.seconds

    def candidates(self, budget: Budget | float | int) -> list[Candidate]:
        """The best of what the search tried within a budget.

        arXiv 2304.03501, Equation 15. Where the search tried nothing so
        small, candidates are shrunk in proportion. Unless `num_averaged` is
        0, the first is the average of the best near the budget, and the
        second that of the best near half of it: less can be better.

        Args:
            budget: Share of the parameters, or bytes.

        Returns:
            At most `num_candidates`, the best first.

        Raises:
            ValueError: If the budget has no room for a coordinate a row, or
                nothing was searched yet.
        """
        self._check_explored()
        budget = Budget.of(budget)
        check_reachable(self._rows, self.d_max, budget)
        best = best_candidates(
            self.record, self.d_max, budget, self.num_candidates
        )
        return [*self._averages(budget), *best][: self.num_candidates]

    def assign(self, budget: Budget | float | int) -> SizeAssignment:
        """Chooses among the candidates for a budget.

        arXiv 2304.03501, Equation 16: the `candidates` within the budget are
        retrained, the best one wins.

        Args:
            budget: Share of the parameters, or bytes.

        Returns:
            Sizes within the budget. Their `origin` has the seed they were
            retrained with, which the evaluator's `build` uses again.

        Raises:
            ValueError: If the budget has no room for a coordinate a row, or
                nothing was searched yet.
        """
        budget = Budget.of(budget)
        candidates = self.candidates(budget)
        scores = [self._retrained(candidate) for candidate in candidates]
        best = candidates[int(np.argmax(scores))]
        tried = {candidate.digest for candidate in self.record}
        averaged = best.digest in {a.digest for a in self._averages(budget)}
        origin = {
            "method": "ciess",
            "seed": self.seed,
            "scores": scores,
            "averaged": averaged,
            "retrain_seed": self._retrain_seed,
            "shrunk": not averaged and best.digest not in tried,
        }
        if origin["shrunk"]:
            _LOGGER.warning(
                "The search tried nothing as small as %s; sizes were shrunk "
                "in proportion. A larger `memory_weight` searches there.",
                budget,
            )
        sizes = SizeAssignment.from_sizes(best.sizes, self.d_max, origin)
        return sizes.check(budget)

    def save_policies(self, folder: str | Path) -> None:
        """Writes what was learned with TF-Agents' `PolicySaver`.

        One SavedModel for each side, which TensorFlow alone can load, and
        which a search on another backbone or data set takes as `policies`.
        They propose sizes as shares of `d_max`, which may differ there.

        Args:
            folder: Where to write.
        """
        self._check_explored()
        with self._agents() as agents:
            agents.call("save_policies", self._state.policies, str(folder))
        describe_policies(folder, self._rows, self.td3.hidden_units)

    def _check_explored(self) -> None:
        if not self.record:
            raise ValueError(
                "`fit` or `explore` must come first. Received: a search that "
                "has tried nothing"
            )

    def _search(
        self,
        problem: SizeProblem,
        checkpoint_seconds: float,
        on_step: Callable[[dict[str, Any]], None] | None,
    ) -> None:
        state = self._state
        started = time.monotonic() - state.seconds
        with self._agents() as agents:
            if state.agents:
                agents.call("restore", state.agents)
            problem.value_full_size()
            state.full_quality = problem.full_quality
            if not state.record:
                state.save()
            saved = time.monotonic()
            seconds = checkpoint_seconds if state.on_disk else np.inf
            total = self.episodes * self.iterations
            for step in range(len(state.record), total):
                entry = self._iterate(agents, problem, step)
                last = step + 1 == total
                if last or time.monotonic() - saved >= seconds:
                    # A search that is over needs no more to go on with.
                    state.agents = {} if last else agents.call("state")
                    state.policies = agents.call("policies")
                    state.seconds = time.monotonic() - started
                    state.save()
                    saved = time.monotonic()
                if on_step is not None:
                    on_step(entry)

    def _iterate(
        self, agents: AgentProcess, problem: SizeProblem, step: int
    ) -> dict[str, Any]:
        outcome: dict[str, Any] = {}

        def answer(question: str, *arguments: Any) -> Any:
            if question == "reset":
                return problem.reset()
            states, rewards, candidate = problem.step(
                arguments[0], self._seed_of(step)
            )
            outcome.update(candidate=candidate, rewards=rewards)
            return states, rewards

        losses = agents.call("iterate", step, answer=answer)
        candidate = outcome["candidate"]
        self._state.record.append(candidate)
        entry = {
            "episode": step // self.iterations,
            "iteration": step % self.iterations,
            "mean_size": candidate.mean_size,
            "sparsity": 1 - candidate.mean_size / self.d_max,
            "reward": float(outcome["rewards"].mean()),
            "quality": candidate.quality,
            "score": candidate.score,
            "losses": losses,
        }
        self._state.trace.append(entry)
        return entry

    def _averages(self, budget: Budget) -> list[Candidate]:
        if not self.num_averaged:
            return []
        return [
            average_candidate(self.record, self.d_max, one, self.num_averaged)
            for one in (budget, budget.halved())
            if is_reachable(self._rows, self.d_max, one)
        ]

    def _retrained(self, candidate: Candidate) -> float:
        scores = self._state.scores
        if candidate.digest not in scores:
            scores[candidate.digest] = float(
                self.evaluator.retrain(candidate.sizes, self._retrain_seed)
            )
            self._state.save()
        return scores[candidate.digest]

    @property
    def _retrain_seed(self) -> int:
        return self._seed_of(self.episodes * self.iterations)

    def _seed_of(self, step: int) -> int:
        sequence = np.random.SeedSequence([self.seed, step, 1])
        return int(sequence.generate_state(1)[0] >> 1)

    def _agents(self) -> AgentProcess:
        return AgentProcess(
            rows=self._rows,
            d_max=self.d_max,
            episodes=self.episodes,
            iterations=self.iterations,
            exploration=self.exploration,
            td3=self.td3,
            seed=self.seed,
            policies=self.policies,
        )

    def _fingerprint(self, counts: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What must be equal for a search to go on."""
        digest = hashlib.sha256()
        for array in counts.values():
            digest.update(array.tobytes())
        return {
            "rows": self._rows,
            "popularity": digest.hexdigest(),
            "d_max": self.d_max,
            "episodes": self.episodes,
            "iterations": self.iterations,
            "memory_weight": self.memory_weight,
            "quality": self.quality,
            "exploration": repr(self.exploration),
            "td3": repr(self.td3),
            "policies": self.policies,
            "seed": self.seed,
            "evaluator": getattr(self.evaluator, "fingerprint", None),
        }


_LOGGER = logging.getLogger(__name__)

# The paper's full width.
_WIDTH = 128


def _counts(side: str, popularity: Any) -> np.ndarray:
    counts = np.asarray(popularity, np.float64)
    if counts.ndim != 1 or not len(counts) or not (counts >= 0).all():
        raise ValueError(
            "`popularity` must hold numbers of at least 0, shape (rows,). "
            f"Received: shape {counts.shape} for side {side!r}"
        )
    if not side.isidentifier():
        raise ValueError(
            f"`popularity` must name sides by identifiers. Received: {side!r}"
        )
    return counts
