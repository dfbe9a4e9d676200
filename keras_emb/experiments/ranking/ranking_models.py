"""What the units of a ranking experiment start from."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras

from keras_emb.compression import align
from keras_emb.datasets import Interactions
from keras_emb.experiments.backbones import build_ranking_backbone
from keras_emb.experiments.json_file import write_json
from keras_emb.experiments.ranking.ranking_experiment_config import (
    RankingExperimentConfig,
)
from keras_emb.search.ciess import SizedRecommender
from keras_emb.training import PairwiseRecipe

__all__ = ["RankingModels"]


class RankingModels:
    """Makes full-size models, and recommenders whose sizes can be set.

    Models of one seed at a time are kept, so that memory stays flat; fresh
    ones are of no seed, and traced once for all.

    Args:
        config: The experiment.
        interactions: Its data.
        states: Folder where the states of trainings are kept.
        checkpoint_seconds: Least time between two saves of a training.
    """

    def __init__(
        self,
        config: RankingExperimentConfig,
        interactions: Interactions,
        states: Path,
        checkpoint_seconds: float,
    ) -> None:
        self._config = config
        self._interactions = interactions
        self._states = states
        self._checkpoint_seconds = checkpoint_seconds
        self._fresh: dict[str, Any] = {}
        self._of_seed: dict[str, Any] = {}
        self._seed: int | None = None

    def backbone(self, seed: int) -> keras.Model:
        """An untrained model."""
        return build_ranking_backbone(
            self._config.backbone, self._interactions, seed
        )

    def recipe(self, rate: float) -> PairwiseRecipe:
        """The experiment's recipe at so many times its learning rate."""
        recipe = self._config.recipe
        return dataclasses.replace(
            recipe, learning_rate=recipe.learning_rate * rate
        )

    def model(self, kind: str, seed: int) -> keras.Model:
        """A full-size model.

        Args:
            kind: `"fresh"`, `"dense"` (trained to its best), `"pretrained"`
                (trained past it) or `"aligned"` (pretrained and turned).
            seed: Its seed.
        """
        make = {
            "fresh": lambda: self.backbone(seed),
            "dense": lambda: self._trained(seed, validated=True),
            "pretrained": lambda: self._trained(seed, validated=False),
            "aligned": lambda: align(
                self.model("pretrained", seed),
                {
                    name: counts.astype(float) ** self._config.alignment_power
                    for name, counts in self._interactions.popularity.items()
                },
            ),
        }[kind]
        model: keras.Model = self._kept(kind, kind, seed, make)
        return model

    def recommender(
        self, kind: str, seed: int, rate: float
    ) -> SizedRecommender:
        """A recommender that starts from one of the models.

        Args:
            kind: Kind of the model.
            seed: Its seed; any will do for a fresh one, whose weights are
                set before every training.
            rate: What the recipe's learning rate is multiplied by.
        """
        recommender: SizedRecommender = self._kept(
            kind,
            f"recommender_{kind}_{rate:g}",
            seed,
            lambda: SizedRecommender(
                self.model(kind, seed),
                self._interactions,
                self.recipe(rate),
                self._config.cutoffs,
            ),
        )
        return recommender

    def _kept(
        self, kind: str, name: str, seed: int, make: Callable[[], Any]
    ) -> Any:
        kept = self._fresh
        if kind != "fresh":
            if self._seed != seed:
                self._of_seed, self._seed = {}, seed
            kept = self._of_seed
        if name not in kept:
            kept[name] = make()
        return kept[name]

    def _trained(self, seed: int, *, validated: bool) -> keras.Model:
        recommender = self.recommender("fresh", seed, 1.0)
        recommender.start(recommender.full_sizes, seed)
        name = f"{'dense' if validated else 'pretrained'}_seed{seed}"
        training = recommender.train(
            seed,
            max_steps=None if validated else self._config.pretrain_steps,
            validated=validated,
            checkpoint=self._states / f"{name}.npz",
            checkpoint_seconds=self._checkpoint_seconds,
        )
        write_json(self._states / f"{name}.json", {"seconds": training.seconds})
        model = self.backbone(seed)
        for own, new in zip(
            model.trainable_variables,
            recommender.model.trainable_variables,
            strict=True,
        ):
            own.assign(new.value)
        return model
