"""The models that units of an experiment start from."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_emb.compression import align
from keras_emb.datasets import Interactions
from keras_emb.experiments.backbones import build_backbone
from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.layers import table_counts
from keras_emb.search import DNIS, AutoDim
from keras_emb.search.dnis.blocks import decade_sizes
from keras_emb.search.dnis.selection import searched_tables
from keras_emb.training import (
    OBJECTIVES,
    TrainingRecipe,
    TrainingRecord,
    fit_interactions,
)

__all__ = ["StartingModels"]


class StartingModels:
    """Dense models, aligned ones and searches, made once and then shared.

    Only those of one seed are in memory, the seed last asked for. Their
    states are kept in the folder: asking again trains nothing.

    Args:
        config: The experiment.
        interactions: Its data.
        folder: Where states are kept.
        checkpoint_seconds: Least time between two saves of a training.
    """

    def __init__(
        self,
        config: ExperimentConfig,
        interactions: Interactions,
        folder: Path,
        checkpoint_seconds: float,
    ) -> None:
        self._config = config
        self._objective = OBJECTIVES[config.task]
        self._interactions = interactions
        self._folder = folder
        self._checkpoint_seconds = checkpoint_seconds
        # Which trial of `dense` the others start from, once it is tuned.
        self.dense_trial = 0
        self._models: dict[str, Any] = {}
        self._seed: int | None = None

    def backbone(self, seed: int) -> keras.Model:
        """A full-size model as a seed initializes it."""
        return build_backbone(
            self._config.backbone,
            self._interactions,
            self._config.task,
            seed,
        )

    def train_dense(
        self, seed: int, trial: int
    ) -> tuple[keras.Model, TrainingRecord]:
        """A dense model trained with the settings of a trial."""
        settings = self._config.trial("dense", trial)
        model = self.backbone(seed)
        training = fit_interactions(
            model,
            self._interactions,
            self.recipe(settings["learning_rate"]),
            objective=self._objective,
            seed=seed,
            checkpoint=self._folder / f"shared_dense_{trial}_seed{seed}.npz",
            checkpoint_seconds=self._checkpoint_seconds,
        )
        return model, training

    def dense(self, seed: int) -> tuple[keras.Model, TrainingRecord]:
        """The dense model the others start from, and how it was trained."""
        trained: tuple[keras.Model, TrainingRecord] = self._kept(
            "dense", seed, lambda: self.train_dense(seed, self.dense_trial)
        )
        return trained

    def aligned(self, seed: int) -> keras.Model:
        """The dense model, turned so that its first coordinates carry most."""
        model: keras.Model = self._kept(
            "aligned", seed, lambda: self._align(self.dense(seed)[0])
        )
        return model

    def dnis(self, seed: int, rate: float, **settings: Any) -> DNIS:
        """A DNIS search.

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

    def autodim(self, seed: int) -> AutoDim:
        """An AutoDim search."""
        found: AutoDim = self._kept(
            "autodim", seed, lambda: self._search_autodim(seed)
        )
        return found

    def importance(self, model: keras.Model) -> dict[str, np.ndarray]:
        """How much each row of the tables counts in the metric."""
        return self._counts(
            model, self._objective.importance(self._interactions)
        )

    def recipe(self, rate: float) -> TrainingRecipe:
        """The recipe at a multiple of its learning rate."""
        recipe = self._config.recipe
        return dataclasses.replace(
            recipe, learning_rate=recipe.learning_rate * rate
        )

    def _align(self, dense: keras.Model) -> keras.Model:
        counts = self.importance(dense)
        power = self._config.alignment_power
        return align(dense, {n: c**power for n, c in counts.items()})

    def _search_dnis(
        self, kind: str, seed: int, rate: float, changes: Mapping[str, Any]
    ) -> DNIS:
        dense = self.dense(seed)[0]
        settings = dataclasses.asdict(
            dataclasses.replace(self._config.search, **changes)
        )
        if settings.pop("blocks") == "decades":
            settings["block_sizes"] = decade_sizes(
                self._counts(dense, self._interactions.popularity)
            )
        search = DNIS(
            1.0,
            recipe=self.recipe(rate),
            warm_start_epochs=0,
            objective=self._objective,
            alignment_power=self._config.alignment_power,
            seed=seed,
            **settings,
        )
        search.fit(
            dense,
            self._interactions,
            checkpoint_dir=self._folder / f"shared_{kind}_seed{seed}",
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
            self.backbone(seed),
            self._interactions,
            checkpoint_dir=self._folder / f"shared_autodim_seed{seed}",
            checkpoint_seconds=self._checkpoint_seconds,
        )
        return search

    def _counts(
        self, model: keras.Model, by_feature: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        return table_counts(model, by_feature, tables=searched_tables(model))

    def _kept(self, kind: str, seed: int, make: Callable[[], Any]) -> Any:
        if self._seed != seed:
            # So that memory stays flat.
            self._models, self._seed = {}, seed
        if kind not in self._models:
            self._models[kind] = make()
        return self._models[kind]
