"""The units of work of an experiment: one model each."""

import dataclasses
import functools
import json
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_emb.compression import (
    Budget,
    SizeAssignment,
    align,
    entry_weights,
    known_usages,
)
from keras_emb.datasets import Interactions
from keras_emb.experiments.backbones import build_backbone
from keras_emb.experiments.config import ExperimentConfig
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.measure import measure_bytes, measure_quality
from keras_emb.experiments.trials import method_trials
from keras_emb.experiments.unit import FROM_SCRATCH, Unit
from keras_emb.layers import table_counts
from keras_emb.search import (
    DNIS,
    AutoDim,
    PowerRule,
    RandomBlocks,
    Uniform,
)
from keras_emb.search.dnis.blocks import decade_sizes
from keras_emb.search.dnis.selection import searched_tables
from keras_emb.training import (
    OBJECTIVES,
    TrainingRecipe,
    TrainingRecord,
    fit_interactions,
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
        # Models of one seed at a time, so that memory stays flat.
        self._models: dict[str, Any] = {}
        self._models_seed: int | None = None
        units = folder / "units"
        units.mkdir(parents=True, exist_ok=True)

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
            "trial": self._settings(unit.method, unit.trial),
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
        trial = self._settings(unit.method, unit.trial)
        if unit.method == "dense":
            model, training = self._train_dense(unit.seed, unit.trial)
            return model, Uniform(1.0).fit(model), training
        if unit.method in FROM_SCRATCH:
            return self._from_scratch(unit, trial)
        if unit.method == "truncated_uniform":
            model = self._model("aligned", unit.seed)
            assignment = Uniform(unit.share * trial["width"]).fit(model)
            return self._retrain(unit, model, assignment, trial)
        return self._pruned(unit, trial)

    def search(self, seed: int, rate: float, **settings: Any) -> DNIS:
        """The DNIS search of a seed.

        Args:
            seed: The seed.
            rate: First learning rate in multiples of the recipe's.
            **settings: What differs from the experiment's `search`.
        """
        kind = "_".join(
            [f"search_{rate:g}", *(f"{k}_{v}" for k, v in settings.items())]
        )
        found: DNIS = self._kept(
            kind, seed, lambda: self._search_dnis(kind, seed, rate, settings)
        )
        return found

    def search_of(self, unit: Unit) -> DNIS:
        """The DNIS search a unit of a DNIS method starts from."""
        settings = self._settings(unit.method, unit.trial)
        return self.search(
            unit.seed, settings["search_rate"], **settings.get("search", {})
        )

    def autodim(self, seed: int) -> AutoDim:
        """The AutoDim search of a seed."""
        found: AutoDim = self._kept(
            "autodim", seed, lambda: self._search_autodim(seed)
        )
        return found

    def dense(self, seed: int) -> tuple[keras.Model, TrainingRecord]:
        """The dense model of a seed, trained with the settings chosen."""
        return self._train_dense(seed, self._trials.get(("dense", 1.0), 0))

    def _settings(self, method: str, trial: int) -> dict[str, Any]:
        config = self._config
        grid = config.tuning_grid.get(
            method, method_trials(method, config.tuning_trials)
        )
        return dict(grid[trial])

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
        model = self._backbone(unit.seed)
        if unit.method == "autodim":
            assignment = self.autodim(unit.seed).assign(unit.share)
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
            model = self._model("aligned" if aligned else "dense", unit.seed)
        assignment, model = prune_gradually(
            model,
            Budget(share=unit.share),
            self._interactions,
            self._recipe(trial["learning_rate"]),
            objective=self._objective,
            structure=structure,
            weigh=functools.partial(
                entry_weights,
                popularity=self._importance(model),
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
            self._recipe(trial.get("learning_rate", 1.0)),
            objective=self._objective,
            start=start,
            seed=unit.seed,
            checkpoint=f"{self._state(unit.name)}.npz",
            checkpoint_seconds=self._checkpoint_seconds,
        )
        return trained, assignment.check(unit.share), training

    def _train_dense(
        self, seed: int, trial: int
    ) -> tuple[keras.Model, TrainingRecord]:
        settings = self._settings("dense", trial)
        model = self._backbone(seed)
        training = fit_interactions(
            model,
            self._interactions,
            self._recipe(settings["learning_rate"]),
            objective=self._objective,
            seed=seed,
            checkpoint=f"{self._state(f'shared_dense_{trial}_seed{seed}')}.npz",
            checkpoint_seconds=self._checkpoint_seconds,
        )
        return model, training

    def _backbone(self, seed: int) -> keras.Model:
        config = self._config
        return build_backbone(
            config.backbone, self._interactions, config.task, seed
        )

    def _model(self, kind: Literal["dense", "aligned"], seed: int) -> Any:
        make = {
            "dense": lambda: self.dense(seed)[0],
            "aligned": lambda: self._align(self._model("dense", seed)),
        }[kind]
        return self._kept(kind, seed, make)

    def _kept(self, kind: str, seed: int, make: Callable[[], Any]) -> Any:
        if self._models_seed != seed:
            self._models, self._models_seed = {}, seed
        if kind not in self._models:
            self._models[kind] = make()
        return self._models[kind]

    def _align(self, dense: keras.Model) -> keras.Model:
        counts = self._importance(dense)
        power = self._config.alignment_power
        return align(dense, {n: c**power for n, c in counts.items()})

    def _search_dnis(
        self, kind: str, seed: int, rate: float, changes: Mapping[str, Any]
    ) -> DNIS:
        dense = self._model("dense", seed)
        settings = dataclasses.asdict(
            dataclasses.replace(self._config.search, **changes)
        )
        if settings.pop("blocks") == "decades":
            settings["block_sizes"] = decade_sizes(
                self._counts(dense, self._interactions.popularity)
            )
        search = DNIS(
            1.0,
            recipe=self._recipe(rate),
            objective=self._objective,
            alignment_power=self._config.alignment_power,
            seed=seed,
            **settings,
        )
        search.fit(
            dense,
            self._interactions,
            warm_start=False,
            checkpoint_dir=self._folder
            / "states"
            / f"shared_{kind}_seed{seed}",
            checkpoint_seconds=self._checkpoint_seconds,
        )
        return search

    def _search_autodim(self, seed: int) -> AutoDim:
        search = AutoDim(
            1.0,
            recipe=self._config.recipe,
            search_epochs=self._config.search.search_epochs,
            objective=self._objective,
            seed=seed,
        )
        search.fit(
            self._backbone(seed),
            self._interactions,
            checkpoint=f"{self._state(f'shared_autodim_seed{seed}')}.npz",
            checkpoint_seconds=self._checkpoint_seconds,
        )
        return search

    def _importance(self, model: keras.Model) -> dict[str, np.ndarray]:
        return self._counts(
            model, self._objective.importance(self._interactions)
        )

    def _counts(
        self, model: keras.Model, by_feature: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        return table_counts(model, by_feature, tables=searched_tables(model))

    def _preparation_seconds(self, unit: Unit) -> dict[str, float]:
        seconds = {}
        dense = self._models.get("dense") if unit.method != "dense" else None
        if dense is not None and unit.method not in FROM_SCRATCH:
            seconds["pretrain"] = self.dense(unit.seed)[1].seconds
        if unit.method.startswith("dnis"):
            search = self.search_of(unit)
            seconds["search"] = search.trace["search"].seconds
        if unit.method == "autodim":
            seconds["search"] = self.autodim(unit.seed).trace.seconds
        return seconds

    def _recipe(self, rate: float) -> TrainingRecipe:
        recipe = self._config.recipe
        return dataclasses.replace(
            recipe, learning_rate=recipe.learning_rate * rate
        )

    def _is_exported(self, unit: Unit) -> bool:
        export = self._config.export
        return (
            unit.method == export.method
            and unit.share == export.share
            and unit.seed == self.first_seed
        )

    def _state(self, name: str) -> str:
        return str(self._folder / "states" / name)
