"""The units of work of a ranking experiment: one model each."""

import dataclasses
import functools
import itertools
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_emb.compression import Budget, SizeAssignment, compact
from keras_emb.datasets import Interactions
from keras_emb.evaluation import FullRanking
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.ranking.ranking_experiment_config import (
    RankingExperimentConfig,
)
from keras_emb.experiments.ranking.ranking_models import RankingModels
from keras_emb.experiments.ranking.trials import ranking_trials
from keras_emb.experiments.unit import Unit
from keras_emb.layers import BipartiteGraph
from keras_emb.search import (
    CIESS,
    PEP,
    BudgetedRandom,
    MixedRandom,
    PowerRule,
    Uniform,
)
from keras_emb.search.ciess import (
    AlignedEvaluator,
    RetrainEvaluator,
    list_quality,
    sizes_of_tables,
    with_quality,
)
from keras_emb.search.ciess.agent_process import require_agents
from keras_emb.training import (
    PairwiseTrainer,
    TrainingRecord,
    apply_assignment,
)
from keras_emb.zoo import MatrixFactorization

__all__ = ["RankingBench"]

# Most steps until PEP's tables are as small as the least share.
_PEP_STEPS = 4000

Sizes = Mapping[str, np.ndarray]


class RankingBench:
    """Trains and measures the units of one ranking experiment.

    Every unit's record is kept in the folder, and so are the states of
    unfinished trainings and searches: an interrupted experiment goes on where
    it stood.

    Args:
        config: The experiment.
        interactions: Its data.
        folder: Where records and states are kept.
        report: Takes lines of news.
        checkpoint_seconds: Least time between two saves of a training.
    """

    def __init__(
        self,
        config: RankingExperimentConfig,
        interactions: Interactions,
        folder: Path,
        report: Callable[[str], None],
        checkpoint_seconds: float = 20.0,
    ) -> None:
        self._config = config
        self._interactions = interactions
        self._folder = folder
        self._report = report
        self._checkpoint_seconds = checkpoint_seconds
        self._chosen: dict[tuple[str, float], int] = {}
        self._rankings = {
            "validation": FullRanking(
                interactions, "validation", config.cutoffs
            ),
            "test": FullRanking(interactions, "test", config.cutoffs),
        }
        self._models = RankingModels(
            config, interactions, folder / "states", checkpoint_seconds
        )
        self._searches: dict[str, CIESS] = {}
        self._pep_searches: dict[int, PEP] = {}
        self._pep_seed: int | None = None
        if set(config.searches) & set(config.methods):
            # Before hours of training that come first.
            require_agents()
        (folder / "units").mkdir(parents=True, exist_ok=True)

    @property
    def first_seed(self) -> int:
        """The seed of searches, of choices and of the exported model."""
        return self._config.seeds[0]

    @property
    def searches(self) -> Mapping[str, CIESS]:
        """The searches of the experiment's methods, done, by method."""
        methods = [
            m for m in self._config.methods if m in self._config.searches
        ]
        return {method: self.search(method) for method in methods}

    def run(self) -> list[dict[str, Any]]:
        """Does all units.

        Each method and share tries its settings, draws or candidates at the
        first seed; validation chooses, and the other seeds repeat the choice,
        or the next setting where it reaches no mask. Only what is chosen is
        tested.

        Returns:
            The records of what was chosen, one a method, share and seed.
        """
        records = []
        for seed in self._config.seeds:
            for method, share in self._cells():
                units = self._units(method, share, seed)
                tested = len(units) == 1
                found = []
                for unit in units:
                    record = self.record(unit, tested=tested)
                    found.append((record, unit))
                    self._report(
                        f"{method} {share:g} seed {seed} trial {unit.trial}: "
                        f"validation quality {_quality(record):.4f}"
                    )
                _, best = max(found, key=lambda one: _quality(one[0]))
                self._chosen.setdefault((method, share), best.trial)
                records.append(self.record(best))
        return records

    def _units(self, method: str, share: float, seed: int) -> list[Unit]:
        """What a seed tries: all settings at first, later the one chosen."""
        units = [
            Unit(method, share, seed, trial)
            for trial in range(self._config.trials)
        ]
        chosen = self._chosen.get((method, share))
        if chosen is not None:
            # The others are for masks that this seed does not reach.
            units.sort(key=lambda unit: unit.trial != chosen)
        possible = filter(self._is_possible, units)
        found = list(
            possible if chosen is None else itertools.islice(possible, 1)
        )
        if not found:
            raise ValueError(
                f"{method} reached no mask of share {share:g} at seed {seed}: "
                "leave the method or the share out, or try more `trials`. "
                f"Received: trials={self._config.trials}"
            )
        return found

    def chosen(self, method: str, share: float) -> Unit:
        """The unit of a method and share at the first seed, once chosen."""
        share = 1.0 if method == "dense" else share
        return Unit(method, share, self.first_seed, self._chosen[method, share])

    def record(self, unit: Unit, *, tested: bool = True) -> dict[str, Any]:
        """The figures of one unit, from its file as far as it has them.

        Args:
            unit: What to train and measure.
            tested: Whether the test part is measured besides validation.
        """
        path = self._record_path(unit)
        record = dict(read_json(path)) if path.exists() else None
        parts = ("validation", "test") if tested else ("validation",)
        if record is not None and set(parts) <= set(record["metrics"]):
            return record
        model, assignment, training = self.build(unit)
        record = record or self._untested(unit, model, assignment, training)
        for part in parts:
            if part not in record["metrics"]:
                started = time.monotonic()
                metrics = self._rankings[part](model).metrics
                record["metrics"][part] = dict(metrics)
                record["seconds"]["evaluate"] += time.monotonic() - started
        write_json(path, record)
        return record

    def _untested(
        self,
        unit: Unit,
        model: keras.Model,
        assignment: SizeAssignment,
        training: TrainingRecord,
    ) -> dict[str, Any]:
        after = compact(model, assignment)[1].after
        return {
            "method": unit.method,
            "share": unit.share,
            "seed": unit.seed,
            "metrics": {},
            "parameters": assignment.num_parameters,
            "bytes": {
                "values": after.values,
                "index": after.index,
                "graph": after.graph,
                "dense_layers": after.dense_layers,
                "total": after.total,
            },
            "seconds": {
                **self._preparation_seconds(unit),
                "retrain": training.seconds,
                "evaluate": 0.0,
            },
            "steps": {"retrain": training.steps, "best": training.best["step"]},
            "trial": self._trial(unit),
        }

    def build(
        self, unit: Unit
    ) -> tuple[keras.Model, SizeAssignment, TrainingRecord]:
        """Trains one unit's model, or reads its finished state.

        Returns:
            The model at its sizes, good until the next is built, the sizes of
            its tables, and the record of its last training.
        """
        checkpoint: dict[str, Any] = {
            "checkpoint": self._folder / "states" / f"{unit.name}.npz",
            "checkpoint_seconds": self._checkpoint_seconds,
            "settings": {"unit": unit.name},
        }
        if unit.method == "pep":
            return self._pep(unit, checkpoint)
        rate = self._trial(unit).get("learning_rate", 1.0)
        sizes = self._sizes(unit)
        if self._starts_aligned(unit.method):
            rate *= self._config.aligned_rate
            recommender = self._models.recommender("aligned", unit.seed, rate)
            recommender.start(sizes)
        else:
            recommender = self._models.recommender("fresh", unit.seed, rate)
            recommender.start(sizes, unit.seed)
        training = recommender.train(unit.seed, **checkpoint)
        assignment = sizes_of_tables(recommender.model, sizes)
        return recommender.model, assignment.check(unit.share), training

    def _pep(
        self, unit: Unit, checkpoint: Mapping[str, Any]
    ) -> tuple[keras.Model, SizeAssignment, TrainingRecord]:
        """Masks from trained thresholds, trained from the first values."""
        assignment = self._pep_search(unit).assign(unit.share)
        model = apply_assignment(self._models.backbone(unit.seed), assignment)
        trainer = PairwiseTrainer(
            model,
            BipartiteGraph.from_interactions(self._interactions),
            self._config.recipe,
        )
        ranking = self._rankings["validation"]
        training = trainer.fit(
            unit.seed,
            lambda model: with_quality(ranking(model).metrics),
            monitor="quality",
            **checkpoint,
        )
        return model, assignment, training

    def _pep_search(self, unit: Unit) -> PEP:
        if self._pep_seed != unit.seed:
            # Each holds a model.
            self._pep_searches, self._pep_seed = {}, unit.seed
        if unit.trial not in self._pep_searches:
            self._pep_searches[unit.trial] = self._search_pep(unit)
        return self._pep_searches[unit.trial]

    def _search_pep(self, unit: Unit) -> PEP:
        recipe = self._config.recipe
        if not self._config.pep_rate_falls:
            recipe = dataclasses.replace(recipe, decay=1.0)
        search = PEP(
            self._config.shares,
            recipe=recipe,
            max_steps=_PEP_STEPS,
            seed=unit.seed,
            **self._trial(unit),
        )
        name = f"pep_{unit.trial}_seed{unit.seed}"
        try:
            search.fit(
                self._models.backbone(unit.seed),
                self._interactions,
                checkpoint_dir=self._folder / "states" / name,
                checkpoint_seconds=self._checkpoint_seconds,
            )
        except RuntimeError as error:
            self._report(f"{unit.name}: {error}")
        return search

    def _is_possible(self, unit: Unit) -> bool:
        possible = (
            unit.method != "pep"
            or self._record_path(unit).exists()
            or Budget.of(unit.share) in self._pep_search(unit).reached
        )
        if not possible:
            self._report(f"{unit.name}: no mask is so small")
        return possible

    def search(self, method: str) -> CIESS:
        """The search of a method, done or read from its finished state."""
        if method not in self._searches:
            self._searches[method] = self._search(method)
        return self._searches[method]

    def _search(self, method: str) -> CIESS:
        config, settings = self._config, self._config.searches[method]
        if settings.evaluator == "aligned":
            model = self._models.model("pretrained", self.first_seed)
            evaluator: Any = functools.partial(
                AlignedEvaluator,
                recipe=config.recipe,
                fine_tuning_rate=config.aligned_rate,
                fine_tuning_steps=settings.evaluator_steps,
                alignment_power=config.alignment_power,
                cutoffs=config.cutoffs,
            )
        else:
            model = self._models.model("dense", self.first_seed)
            evaluator = functools.partial(
                RetrainEvaluator,
                recipe=config.recipe,
                steps=settings.evaluator_steps,
                cutoffs=config.cutoffs,
            )
        search = CIESS(
            min(config.shares),
            evaluator=evaluator,
            warm_start_steps=0,
            episodes=config.episodes,
            iterations=config.iterations,
            memory_weight=config.memory_weight,
            num_candidates=config.trials,
            num_averaged=settings.num_averaged,
            equalize=settings.equalize,
            exploration=settings.exploration,
            td3=config.td3,
            seed=self.first_seed,
        )

        def news(step: int, logs: Mapping[str, float]) -> None:
            if logs["iteration"] == config.iterations - 1:
                self._report(
                    f"{method} episode {logs['episode'] + 1:.0f}: mean size "
                    f"{logs['mean_size']:.1f}, reward {logs['reward']:.4f}, "
                    f"score {logs['score']:.4f}"
                )

        search.explore(
            model,
            self._interactions,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=news)],
            checkpoint_dir=self._folder / "states" / method,
            checkpoint_seconds=self._checkpoint_seconds,
        )
        return search

    def _sizes(self, unit: Unit) -> Sizes:
        trial = self._trial(unit)
        if unit.method in self._config.searches:
            candidates = self.search(unit.method).candidates(unit.share)
            return candidates[min(unit.trial, len(candidates) - 1)].sizes
        rules: dict[str, Any] = {
            "dense": lambda: Uniform(1.0),
            "uniform": lambda: Uniform(unit.share * trial["width"]),
            "truncated_uniform": lambda: Uniform(unit.share * trial["width"]),
            "mixed_random": lambda: MixedRandom(unit.share, seed=trial["draw"]),
            "budgeted_random": lambda: BudgetedRandom(
                unit.share, seed=trial["draw"]
            ),
            "power_rule": lambda: PowerRule(
                unit.share, exponent=trial["exponent"]
            ),
        }
        rows = {k: len(v) for k, v in self._interactions.vocabularies.items()}
        # Rules give sizes to entities, whatever tables a backbone has.
        entities = MatrixFactorization.from_sizes(
            users=rows["user"],
            items=rows["item"],
            embedding_dim=self._config.backbone.embedding_dim,
        )
        sizes: SizeAssignment = rules[unit.method]().fit(
            entities, self._interactions
        )
        return {side: sizes.sizes(side) for side in rows}

    def _record_path(self, unit: Unit) -> Path:
        return self._folder / "units" / f"{unit.name}.json"

    def _starts_aligned(self, method: str) -> bool:
        search = self._config.searches.get(method)
        return method == "truncated_uniform" or (
            search is not None and search.start == "aligned"
        )

    def _trial(self, unit: Unit) -> dict[str, Any]:
        if unit.method in self._config.searches:
            return {"candidate": unit.trial}
        trials = ranking_trials(unit.method, self._config.trials)
        return dict(trials[unit.trial])

    def _cells(self) -> list[tuple[str, float]]:
        return [
            (method, share)
            for method in self._config.methods
            for share in ((1.0,) if method == "dense" else self._config.shares)
        ]

    def _preparation_seconds(self, unit: Unit) -> dict[str, float]:
        """What was spent, once, before a unit's own training."""
        states = self._folder / "states"
        if unit.method == "pep":
            return {"search": self._pep_search(unit).trace.seconds}
        settings = self._config.searches.get(unit.method)
        names = []
        if self._starts_aligned(unit.method):
            names.append(f"pretrained_seed{unit.seed}")
        if settings is not None:
            kind = "pretrained" if settings.evaluator == "aligned" else "dense"
            names.append(f"{kind}_seed{self.first_seed}")
        seconds = {}
        if names:
            seconds["pretrain"] = sum(
                _seconds(states / f"{name}.json")
                for name in dict.fromkeys(names)
            )
        if settings is not None:
            seconds["search"] = self.search(unit.method).seconds
        return seconds


def _seconds(path: Path) -> float:
    return float(read_json(path)["seconds"])


def _quality(record: Mapping[str, Any]) -> float:
    return list_quality(record["metrics"]["validation"])
