"""The units of work of an experiment: one model each."""

import functools
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

import keras

from keras_emb.compression import (
    Budget,
    SizeAssignment,
    entry_weights,
    known_usages,
)
from keras_emb.datasets import Interactions
from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.measure import measure_bytes, measure_quality
from keras_emb.experiments.starting_models import StartingModels
from keras_emb.experiments.unit import FROM_SCRATCH, Unit
from keras_emb.search import (
    DNIS,
    PowerRule,
    RandomBlocks,
    Uniform,
)
from keras_emb.training import (
    OBJECTIVES,
    TrainingRecord,
    prune_gradually,
    retrain,
)

__all__ = ["Workbench"]


class Workbench:
    """Trains and measures the units of one experiment.

    Every unit's record is kept in the folder, and so are the states of
    unfinished trainings: an interrupted experiment goes on where it stood.

    Args:
        config: The experiment.
        interactions: Its data.
        folder: Where records and states are kept.
        report: Takes lines of news.
        checkpoint_seconds: Least time between two saves of a training.

    Attributes:
        models: What the units start from.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        interactions: Interactions,
        folder: Path,
        report: Callable[[str], None],
        checkpoint_seconds: float = 20.0,
    ) -> None:
        self._config = config
        self._objective = OBJECTIVES[config.task]
        self._interactions = interactions
        self._folder = folder
        self._report = report
        self._checkpoint_seconds = checkpoint_seconds
        self._trials: dict[tuple[str, float], int] = {}
        self.models = StartingModels(
            config, interactions, folder / "states", checkpoint_seconds
        )
        (folder / "units").mkdir(parents=True, exist_ok=True)

    def run(self) -> list[dict[str, Any]]:
        """Does all units.

        Each method and share is tuned at the first seed, on validation, and
        then repeated at the other seeds with the settings chosen.

        Returns:
            The records of the chosen settings, one a method, share and seed.
        """
        records = []
        cells = self._cells()
        total = len(cells) * (
            self._config.tuning_trials + len(self._config.seeds) - 1
        )
        done = 0
        for seed in self._config.seeds:
            for method, share in cells:
                if seed == self.first_seed:
                    trials = range(self._config.tuning_trials)
                else:
                    trials = range(
                        self._trials[method, share],
                        self._trials[method, share] + 1,
                    )
                candidates = []
                for trial in trials:
                    unit = Unit(method, share, seed, trial)
                    record = self.record(unit)
                    candidates.append((record, trial))
                    done += 1
                    monitor = self._objective.monitor
                    value = record["metrics"]["validation"][monitor]
                    self._report(
                        f"[{done}/{total}] {method} {share:g} seed {seed} "
                        f"trial {trial}: validation {monitor} {value:.4f}"
                    )
                record, trial = min(
                    candidates,
                    key=lambda c: self._objective.error(
                        c[0]["metrics"]["validation"]
                    ),
                )
                if seed == self.first_seed:
                    self._trials[method, share] = trial
                    if method == "dense":
                        self.models.dense_trial = trial
                records.append(record)
        return records

    @property
    def first_seed(self) -> int:
        """The seed of tuning and of the exported model."""
        return self._config.seeds[0]

    def chosen(self, method: str, share: float) -> Unit:
        """The unit of a method and share at the first seed, once tuned."""
        share = 1.0 if method == "dense" else share
        return Unit(
            method,
            share,
            self.first_seed,
            self._trials[method, share],
        )

    def record(self, unit: Unit) -> dict[str, Any]:
        """The figures of one unit, from its file if it has been done."""
        path = self._folder / "units" / f"{unit.name}.json"
        if path.exists():
            return dict(read_json(path))
        model, assignment, training = self.build(unit)
        started = time.monotonic()
        metrics = measure_quality(model, self._interactions, self._objective)
        num_bytes = measure_bytes(model, assignment)
        record = {
            "method": unit.method,
            "share": unit.share,
            "seed": unit.seed,
            "metrics": metrics,
            "parameters": assignment.num_parameters,
            "bytes": num_bytes,
            "seconds": {
                **self._preparation_seconds(unit),
                "retrain": training.seconds,
                "evaluate": time.monotonic() - started,
            },
            "steps": {"retrain": training.steps},
            "trial": self._settings(unit),
        }
        write_json(path, record)
        if not self._is_exported(unit):
            for state in self._folder.glob(f"states/{unit.name}*.npz"):
                state.unlink()
        return dict(json.loads(json.dumps(record)))

    def build(
        self, unit: Unit
    ) -> tuple[keras.Model, SizeAssignment, TrainingRecord]:
        """Trains one unit's model, or reads its finished state.

        Returns:
            The model with its sizes fixed, the sizes, and the record of its
            last training.
        """
        trial = self._settings(unit)
        if unit.method == "dense":
            model, training = self.models.train_dense(unit.seed, unit.trial)
            return model, Uniform(1.0).fit(model), training
        if unit.method in FROM_SCRATCH:
            return self._from_scratch(unit, trial)
        if unit.method == "truncated_uniform":
            model = self.models.aligned(unit.seed)
            assignment = Uniform(unit.share * trial["width"]).fit(model)
            return self._retrain(unit, model, assignment, trial)
        return self._pruned(unit, trial)

    def search_of(self, unit: Unit) -> DNIS:
        """The DNIS search a unit of a DNIS method starts from."""
        settings = self._settings(unit)
        return self.models.dnis(
            unit.seed, settings["search_rate"], **settings.get("search", {})
        )

    def _settings(self, unit: Unit) -> dict[str, Any]:
        return self._config.trial(unit.method, unit.trial)

    def _cells(self) -> list[tuple[str, float]]:
        cells = [
            (method, share)
            for method in self._config.methods
            if method != "dense"
            for share in self._config.shares
        ]
        # The others start from the dense model, so it is tuned first.
        return [("dense", 1.0), *cells]

    def _from_scratch(
        self, unit: Unit, trial: dict[str, Any]
    ) -> tuple[keras.Model, SizeAssignment, TrainingRecord]:
        model = self.models.backbone(unit.seed)
        if unit.method == "autodim":
            assignment = self.models.autodim(unit.seed).assign(unit.share)
            return self._retrain(
                unit, model, assignment, trial, start="scratch"
            )
        rule: Any
        if unit.method == "uniform":
            rule = Uniform(unit.share * trial["width"])
        elif unit.method == "power_rule":
            rule = PowerRule(unit.share, exponent=trial["exponent"])
        else:
            rule = RandomBlocks(
                unit.share,
                num_blocks=self._config.search.num_blocks,
                seed=trial["draw"],
            )
        assignment = rule.fit(model, self._interactions)
        return self._retrain(unit, model, assignment, trial, start="scratch")

    def _pruned(
        self, unit: Unit, trial: dict[str, Any]
    ) -> tuple[keras.Model, SizeAssignment, TrainingRecord]:
        structure: Literal["prefix", "mask"] = (
            "prefix" if unit.method.endswith("prefix") else "mask"
        )
        if unit.method.startswith("dnis"):
            search = self.search_of(unit)
            aligned = unit.method != "dnis"
            model = search.model if aligned else search.merged
        else:
            aligned = unit.method == "magnitude_aligned"
            model = (
                self.models.aligned(unit.seed)
                if aligned
                else self.models.dense(unit.seed)[0]
            )
        assignment, model = prune_gradually(
            model,
            Budget(share=unit.share),
            self._interactions,
            self.models.recipe(trial["learning_rate"]),
            objective=self._objective,
            structure=structure,
            weigh=functools.partial(
                entry_weights,
                popularity=self.models.importance(model),
                power=trial.get("threshold_power", 0.0),
                aligned=aligned and bool(known_usages(model)),
            ),
            rounds=trial["rounds"],
            seed=unit.seed,
            checkpoint=self._state(unit.name),
            checkpoint_seconds=self._checkpoint_seconds,
        )
        return self._retrain(
            unit,
            model,
            assignment,
            trial,
            start=trial.get("start", "pruned"),
        )

    def _retrain(
        self,
        unit: Unit,
        model: keras.Model,
        assignment: SizeAssignment,
        trial: dict[str, Any],
        start: Any = "pruned",
    ) -> tuple[keras.Model, SizeAssignment, TrainingRecord]:
        trained, training = retrain(
            model,
            assignment,
            self._interactions,
            self.models.recipe(trial.get("learning_rate", 1.0)),
            objective=self._objective,
            start=start,
            seed=unit.seed,
            checkpoint=f"{self._state(unit.name)}.npz",
            checkpoint_seconds=self._checkpoint_seconds,
        )
        return trained, assignment.check(unit.share), training

    def _preparation_seconds(self, unit: Unit) -> dict[str, float]:
        seconds = {}
        if unit.method not in ("dense", *FROM_SCRATCH):
            seconds["pretrain"] = self.models.dense(unit.seed)[1].seconds
        if unit.method.startswith("dnis"):
            search = self.search_of(unit)
            seconds["search"] = search.trace["search"].seconds
        if unit.method == "autodim":
            seconds["search"] = self.models.autodim(unit.seed).trace.seconds
        return seconds

    def _is_exported(self, unit: Unit) -> bool:
        export = self._config.export
        return (
            unit.method == export.method
            and unit.share == export.share
            and unit.seed == self.first_seed
        )

    def _state(self, name: str) -> str:
        return str(self._folder / "states" / name)
