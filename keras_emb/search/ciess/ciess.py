"""Continuous input embedding size search."""

import functools
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.evaluation import FullRanking
from keras_emb.layers import BipartiteGraph
from keras_emb.layers.rebuild import copy_layer
from keras_emb.search.ciess.agent_process import AgentProcess, require_agents
from keras_emb.search.ciess.aligned_evaluator import AlignedEvaluator
from keras_emb.search.ciess.candidate import Candidate
from keras_emb.search.ciess.evaluator import Evaluator
from keras_emb.search.ciess.exploration import Exploration
from keras_emb.search.ciess.retrain_evaluator import RetrainEvaluator
from keras_emb.search.ciess.saved_policies import (
    check_policies,
    describe_policies,
)
from keras_emb.search.ciess.search_state import SearchState
from keras_emb.search.ciess.selective_retraining import SelectiveRetraining
from keras_emb.search.ciess.size_problem import SizeProblem
from keras_emb.search.ciess.size_space import SizeSpace
from keras_emb.search.ciess.sized_recommender import with_quality
from keras_emb.search.ciess.td3_settings import Td3Settings
from keras_emb.training import PairwiseRecipe, PairwiseTrainer, callback_list
from keras_emb.training.check_rules import check_integers
from keras_emb.training.model_state import architecture_of, digest_of

__all__ = ["CIESS"]

MakeEvaluator = Callable[[keras.Model, Interactions], Evaluator]


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
    on the training part alone, as validation says when to stop. Gradients are
    clipped a variable each, as TF-Agents does. Row 0, which all unknown ids
    share, is an entity like others: the one of least popularity.

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
    search = keras_emb.CIESS(0.5, recipe=recipe, episodes=1, iterations=2)
    sizes = search.fit(model, data, checkpoint_dir="search")
    smaller = search.assign(0.25)
    model = search.evaluator.build(smaller)
    ```

    The paper's d_max is the width of the backbone's tables.

    Args:
        budget: Share of the parameters to keep, or bytes.
        evaluator: What values sizes: `"retrain"` trains a fresh recommender
            a short while (paper), `"aligned"` cuts the trained one (ours);
            see `RetrainEvaluator` and `AlignedEvaluator`. Or a callable that
            makes an `Evaluator` of a trained model and its interactions, such
            as `functools.partial(RetrainEvaluator, recipe=recipe, steps=100)`.
        recipe: How recommenders are trained.
        warm_start_steps: Most steps of the training before the search, the
            recipe's by default; 0 for a backbone that is trained already.
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
        equalize: Whether the averages are drawn towards one size for all, as
            far as the evaluator values that: our step, for recommenders that
            cannot bear small items. It needs `num_averaged`.
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
        evaluator: Literal["aligned", "retrain"] | MakeEvaluator = "aligned",
        recipe: PairwiseRecipe | None = None,
        warm_start_steps: int | None = None,
        episodes: int = 30,
        iterations: int = 10,
        memory_weight: float = 0.4,
        quality: Literal["ratio", "raw"] = "ratio",
        num_candidates: int = 3,
        num_averaged: int = 10,
        equalize: bool = False,
        exploration: Exploration | None = None,
        td3: Td3Settings | None = None,
        policies: str | Path | None = None,
        seed: int = 0,
    ) -> None:
        self.recipe = recipe or PairwiseRecipe()
        if warm_start_steps is None:
            warm_start_steps = self.recipe.max_steps
        self.warm_start_steps = warm_start_steps
        self.episodes = episodes
        self.iterations = iterations
        self.num_candidates = num_candidates
        self.num_averaged = num_averaged
        self.seed = seed
        check_integers(self, _COUNTS)
        for name in _COUNTS:
            # NumPy's own cannot be written down as JSON.
            setattr(self, name, int(getattr(self, name)))
        if equalize and not num_averaged:
            raise ValueError(
                "`equalize` needs averages to draw towards one size. "
                "Received: num_averaged=0"
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
        if evaluator not in _EVALUATORS and not callable(evaluator):
            raise ValueError(
                f"`evaluator` must be one of {sorted(_EVALUATORS)} or a "
                f"callable that makes one. Received: evaluator={evaluator!r}"
            )
        self.budget = Budget.of(budget)
        self.memory_weight = float(memory_weight)
        self.quality = quality
        self.equalize = equalize
        self.exploration = exploration or Exploration()
        self.td3 = td3 or Td3Settings()
        self.policies = str(policies) if policies is not None else None
        self._state = SearchState(None, {})
        self._make_evaluator: MakeEvaluator
        if callable(evaluator):
            self._make_evaluator = evaluator
        else:
            kind = _EVALUATORS[evaluator]
            self._make_evaluator = functools.partial(kind, recipe=self.recipe)

    def fit(
        self,
        backbone: keras.Model,
        interactions: Interactions,
        *,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
    ) -> SizeAssignment:
        """Searches, and chooses for the budget: `explore`, then `assign`.

        Args:
            backbone: Built model of users and items; it stays as it is.
            interactions: Training and validation examples.
            callbacks: Keras callbacks, see `callback_list`, of two trainings:
                the warm start, whose epochs are validations, and the search,
                whose epochs are iterations and whose model is the full-size
                one. `stop_training` ends the one that it is set in, for good.
            checkpoint_dir: Folder for the state; an interrupted search goes
                on where it stood, with the weights it had, whatever those of
                the backbone are by then.
            checkpoint_seconds: Least time between two saves.

        Returns:
            Sizes within the budget, equal in all tables of an entity.

        Raises:
            AgentError: If the agents' process cannot start, fails or is
                killed.
            ValueError: If the tables are not of one width, the budget has no
                room for a coordinate a row, the checkpoint is of another
                search, or the policies do not fit.
        """
        self.explore(
            backbone,
            interactions,
            callbacks=callbacks,
            checkpoint_dir=checkpoint_dir,
            checkpoint_seconds=checkpoint_seconds,
        )
        return self.assign(self.budget)

    def explore(
        self,
        backbone: keras.Model,
        interactions: Interactions,
        *,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
    ) -> None:
        """Searches without choosing.

        Afterwards `model` is the full-size recommender, and `evaluator` what
        has valued the candidates. `record`, `trace` and `seconds` say how far
        the search has come, after an interruption too.

        Args:
            backbone: As for `fit`, and all that follows.
            interactions: Training and validation examples.
            callbacks: Keras callbacks.
            checkpoint_dir: Folder for the state.
            checkpoint_seconds: Least time between two saves.

        Raises:
            AgentError: As for `fit`.
            ValueError: Likewise.
        """
        require_agents()
        counts = interactions.popularity
        self._space = SizeSpace.of(
            backbone, {side: len(rows) for side, rows in counts.items()}
        )
        self._space.check_reachable(self.budget)
        if self.policies is not None:
            check_policies(
                self.policies, self._space.rows, self.td3.hidden_units
            )
        counts = {side: counts[side] for side in self._space.rows}
        folder = Path(checkpoint_dir) if checkpoint_dir else None
        self.model = self._warm_start(
            backbone, interactions, callbacks, folder, checkpoint_seconds
        )
        self.evaluator = self._make_evaluator(self.model, interactions)
        self._state = SearchState(
            folder / "ciess.npz" if folder else None,
            self._fingerprint(counts),
        )
        self._state.load()
        problem = SizeProblem(
            counts,
            self.evaluator,
            self._space.d_max,
            self.memory_weight,
            self.quality,
        )
        problem.full_quality = self._state.full_quality
        over = len(self._state.record) == self._total
        if not (over or self._state.stopped):
            self._search(problem, checkpoint_seconds, callbacks)

    @property
    def record(self) -> list[Candidate]:
        """Every candidate tried."""
        return self._state.record

    @property
    def trace(self) -> list[dict[str, Any]]:
        """What each iteration brought."""
        return self._state.trace

    @property
    def seconds(self) -> float:
        """How long the search took, warm start and interruptions left out."""
        return self._state.seconds

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
        budget = self._check_budget(budget)
        return self._retraining.candidates(budget)

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
        budget = self._check_budget(budget)
        best, found = self._retraining.choose(budget)
        origin = {"method": "ciess", "seed": self.seed, **found}
        if origin["shrunk"]:
            _LOGGER.warning(
                "The search tried nothing as small as %s; larger sizes were "
                "scaled down. A larger `memory_weight` searches there.",
                budget,
            )
        return self._space.assignment(best.sizes, origin).check(budget)

    def save_policies(self, folder: str | Path) -> None:
        """Writes what was learned with TF-Agents' `PolicySaver`.

        One SavedModel for each side, which TensorFlow alone can load, and
        which a search on another backbone or data set takes as `policies`.
        They propose sizes as shares of `d_max`, which may differ there.

        Args:
            folder: Where to write.

        Raises:
            ValueError: If there is no search, or it has not ended.
        """
        self._check_explored()
        if len(self.record) < self._total and not self._state.stopped:
            raise ValueError(
                "A search must have ended before its policies are saved. "
                f"Received: {len(self.record)} of {self._total} iterations"
            )
        with self._agents() as agents:
            agents.call("save_policies", self._state.policies, str(folder))
        describe_policies(folder, self._space.rows, self.td3.hidden_units)

    def _check_explored(self) -> None:
        if not self.record:
            raise ValueError(
                "`fit` or `explore` must come first. Received: a search that "
                "has tried nothing"
            )

    def _warm_start(
        self,
        backbone: keras.Model,
        interactions: Interactions,
        callbacks: Sequence[keras.callbacks.Callback],
        folder: Path | None,
        checkpoint_seconds: float,
    ) -> keras.Model:
        """The full-size recommender, trained to its best on validation."""
        if not self.warm_start_steps:
            return backbone
        model = copy_layer(backbone)
        ranking = FullRanking(interactions, "validation")
        PairwiseTrainer(
            model, BipartiteGraph.from_interactions(interactions), self.recipe
        ).fit(
            self.seed,
            lambda model: with_quality(ranking(model).metrics),
            monitor="quality",
            max_steps=self.warm_start_steps,
            checkpoint=folder / "warm_start.npz" if folder else None,
            checkpoint_seconds=checkpoint_seconds,
            settings={"backbone": architecture_of(backbone)},
            callbacks=callbacks,
        )
        return model

    def _search(
        self,
        problem: SizeProblem,
        checkpoint_seconds: float,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> None:
        state = self._state
        started = time.monotonic() - state.seconds
        told = callback_list(callbacks, self.model)
        told.on_train_begin()
        with self._agents() as agents:

            def save(over: bool = False) -> None:
                # A search that is over needs no more to go on with.
                state.agents = {} if over else agents.call("state")
                state.policies = agents.call("policies")
                state.seconds = time.monotonic() - started
                state.save()

            if state.agents:
                agents.call("restore", state.agents)
            problem.value_full_size()
            state.full_quality = problem.full_quality
            if not state.record:
                state.save()
            saved = time.monotonic()
            seconds = checkpoint_seconds if state.on_disk else np.inf
            first = len(state.record)
            for step in range(first, self._total):
                told.on_epoch_begin(step)
                entry = self._iterate(agents, problem, step)
                state.seconds = time.monotonic() - started
                if time.monotonic() - saved >= seconds:
                    save()
                    saved = time.monotonic()
                told.on_epoch_end(step, _logs(entry))
                if self.model.stop_training:
                    state.stopped = True
                    break
            save(over=True)
        told.on_train_end()

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
            "sparsity": 1 - candidate.mean_size / self._space.d_max,
            "reward": float(outcome["rewards"].mean()),
            "quality": candidate.quality,
            "score": candidate.score,
            "losses": losses,
        }
        self._state.trace.append(entry)
        return entry

    def _check_budget(self, budget: Budget | float | int) -> Budget:
        self._check_explored()
        budget = Budget.of(budget)
        self._space.check_reachable(budget)
        return budget

    @property
    def _retraining(self) -> SelectiveRetraining:
        return SelectiveRetraining(
            self._state,
            self._space,
            self.evaluator,
            self._seed_of(self._total),
            num_candidates=self.num_candidates,
            num_averaged=self.num_averaged,
            equalize=self.equalize,
        )

    @property
    def _total(self) -> int:
        return self.episodes * self.iterations

    def _seed_of(self, step: int) -> int:
        sequence = np.random.SeedSequence([self.seed, step, 1])
        return int(sequence.generate_state(1)[0] >> 1)

    def _agents(self) -> AgentProcess:
        return AgentProcess(
            rows=self._space.rows,
            d_max=self._space.d_max,
            episodes=self.episodes,
            iterations=self.iterations,
            exploration=self.exploration,
            td3=self.td3,
            seed=self.seed,
            policies=self.policies,
        )

    def _fingerprint(self, counts: Mapping[str, np.ndarray]) -> dict[str, Any]:
        """What must be equal for a search to go on."""
        return {
            "rows": self._space.rows,
            "popularity": digest_of(counts.values()),
            "d_max": self._space.d_max,
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

# Settings that are whole numbers, and the least they may be.
_COUNTS = {
    "warm_start_steps": 0,
    "episodes": 1,
    "iterations": 1,
    "num_candidates": 1,
    "num_averaged": 0,
    "seed": 0,
}

_EVALUATORS: Mapping[str, type[AlignedEvaluator] | type[RetrainEvaluator]] = {
    "aligned": AlignedEvaluator,
    "retrain": RetrainEvaluator,
}


def _logs(entry: Mapping[str, Any]) -> dict[str, float]:
    """An entry of the trace as Keras's callbacks want it: numbers alone."""
    logs = {name: value for name, value in entry.items() if name != "losses"}
    for side, losses in entry["losses"].items():
        logs.update({f"{side}_{name}": x for name, x in losses.items()})
    return logs
