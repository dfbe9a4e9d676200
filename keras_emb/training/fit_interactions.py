"""Training any model on interactions by a recipe."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from keras_emb.datasets import Interactions
from keras_emb.optimizers import SparseAdam
from keras_emb.training.objective import Objective
from keras_emb.training.train import TrainingRecord, train
from keras_emb.training.training_recipe import TrainingRecipe

__all__ = ["fit_interactions"]


def fit_interactions(
    model: keras.Model,
    interactions: Interactions,
    recipe: TrainingRecipe,
    *,
    objective: Objective | None = None,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    settings: Mapping[str, Any] | None = None,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingRecord:
    """Compiles a model with `SparseAdam` and trains it to its best epoch.

    Args:
        model: Built Keras model whose inputs are the interactions' features.
        interactions: Training and validation examples.
        recipe: Rates, epochs, patience.
        objective: Loss and metrics; the regression of ratings by default.
        seed: Seed of the order of batches.
        checkpoint: File for the state of the run; resumed when it exists.
        checkpoint_seconds: Least time between two saves.
        settings: What else a checkpoint must share, see `train`.
        callbacks: Keras callbacks, see `train`.

    Returns:
        The record of the run.
    """
    objective = objective or Objective()
    model.compile(
        optimizer=SparseAdam(recipe.learning_rate), loss=objective.loss
    )
    model.optimizer.build(model.trainable_variables)
    batches = objective.batches(
        interactions, "train", batch_size=recipe.batch_size, seed=seed
    )
    return train(
        model,
        batches,
        objective.watched(interactions),
        recipe,
        objective=objective,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        settings={"seed": seed, **(settings or {})},
        callbacks=callbacks,
    )
