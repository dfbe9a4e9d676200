"""Training at sizes that are already decided."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_emb.compression import Budget, SizeAssignment, threshold_assignment
from keras_emb.datasets import Interactions
from keras_emb.layers import (
    MaskedEmbedding,
    ProjectedEmbedding,
    find_tables,
    replace_tables,
    table_values,
)
from keras_emb.layers.reinitialize import reinitialize
from keras_emb.layers.seeded import seeded
from keras_emb.training.fit_interactions import fit_interactions
from keras_emb.training.objective import Objective
from keras_emb.training.train import TrainingRecord
from keras_emb.training.training_recipe import TrainingRecipe

__all__ = ["apply_assignment", "cubic_schedule", "prune_gradually", "retrain"]


def apply_assignment(
    model: keras.Model, assignment: SizeAssignment
) -> keras.Model:
    """Puts fixed sizes on a model's tables.

    Args:
        model: Any Keras model with tables; it stays as it is.
        assignment: Sizes or masks, by table name.

    Returns:
        A copy whose assigned tables are `MaskedEmbedding` layers that hold
        the same values.

    Raises:
        ValueError: If the assignment names a table the model does not have.
    """
    structure = assignment.structure
    unknown = set(assignment.tables) - set(find_tables(model))
    if unknown:
        raise ValueError(
            "`assignment` must name tables of the model, which has "
            f"{sorted(find_tables(model))}. Received: {sorted(unknown)}"
        )

    def make(name: str, layer: Any) -> Any:
        if name not in assignment.tables:
            return layer
        projected = isinstance(layer, ProjectedEmbedding)
        table = MaskedEmbedding.from_table(
            layer.table if projected else layer, structure=structure
        )
        if structure == "prefix":
            table.assign_sizes(assignment.sizes(name))
        else:
            table.assign_mask(assignment.mask(name))
        return layer.with_table(table) if projected else table

    return replace_tables(model, make)


def retrain(
    model: keras.Model,
    assignment: SizeAssignment,
    interactions: Interactions,
    recipe: TrainingRecipe,
    *,
    objective: Objective | None = None,
    start: Literal["pruned", "scratch"] = "pruned",
    seed: int = 0,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> tuple[keras.Model, TrainingRecord]:
    """Trains a model with its sizes held fixed.

    DNIS (arXiv 2006.04466), last step: after pruning, the surviving entries
    and all other weights are trained again.

    Args:
        model: The trained model the sizes were found on; it stays as it is.
        assignment: The sizes.
        interactions: Training and validation examples.
        recipe: Rates, epochs, patience.
        objective: Loss and metrics; the regression of ratings by default.
        start: `"pruned"` goes on from the model's values, `"scratch"` from a
            new initialisation.
        seed: Seed of the new initialisation and the order of batches.
        checkpoint: File for the state of the run; resumed when it exists.
        checkpoint_seconds: Least time between two saves.
        callbacks: Keras callbacks, see `train`.

    Returns:
        The trained model, with `MaskedEmbedding` tables, and the record.

    Raises:
        ValueError: If `start` is unknown.
    """
    if start not in ("pruned", "scratch"):
        raise ValueError(
            f"`start` must be 'pruned' or 'scratch'. Received: start={start!r}"
        )
    if start == "scratch":
        with seeded(seed):
            model = reinitialize(model)
    masked = apply_assignment(model, assignment)
    record = fit_interactions(
        masked,
        interactions,
        recipe,
        objective=objective,
        seed=seed,
        checkpoint=checkpoint,
        checkpoint_seconds=checkpoint_seconds,
        # The state holds the sizes, and would put them back.
        settings={
            "start": start,
            "structure": assignment.structure,
            "parameters": assignment.num_parameters,
        },
        callbacks=callbacks,
    )
    return masked, record


def cubic_schedule(final: float, rounds: int) -> list[float]:
    """Kept shares that fall fast at first and slowly at the end.

    Zhu and Gupta (arXiv 1710.01878), Equation 1:
    `final + (1 - final) * (1 - r / rounds)^3`.

    >>> [round(share, 3) for share in cubic_schedule(0.1, 2)]
    [0.213, 0.1]

    Args:
        final: Share kept in the end.
        rounds: Number of shares.

    Returns:
        The shares of rounds 1 to `rounds`.
    """
    return [
        final + (1 - final) * (1 - r / rounds) ** 3
        for r in range(1, rounds + 1)
    ]


def prune_gradually(
    model: keras.Model,
    budget: Budget | float | int,
    interactions: Interactions,
    recipe: TrainingRecipe,
    *,
    objective: Objective | None = None,
    structure: Literal["mask", "prefix"] = "mask",
    weigh: Callable[[dict[str, np.ndarray]], Mapping[str, Any]] | None = None,
    rounds: int = 5,
    epochs_per_round: int = 1,
    seed: int = 0,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
) -> tuple[SizeAssignment, keras.Model]:
    """Prunes to a budget in rounds, training between them.

    Args:
        model: A trained model; it stays as it is.
        budget: What to keep in the end, as a share of the parameters.
        interactions: Training and validation examples.
        recipe: Rate and batch size of the training between rounds.
        objective: Loss and metrics; the regression of ratings by default.
        structure: Shape of the result, see `threshold_assignment`.
        weigh: Weights of the entries of tables, likewise, made anew for
            every cut; such as `entry_weights`.
        rounds: Number of cuts, on `cubic_schedule`.
        epochs_per_round: Epochs after each cut but the last, which is left
            to `retrain`.
        seed: Seed of the order of batches.
        checkpoint: Prefix of the rounds' files; resumed when they exist.
        checkpoint_seconds: Least time between two saves.

    Returns:
        The final assignment, within the budget, and the model to retrain.

    Raises:
        ValueError: If there is not at least one round.
    """
    if rounds < 1:
        raise ValueError(
            f"`rounds` must be at least 1. Received: rounds={rounds}"
        )
    budget = Budget.of(budget)

    def cut(model: keras.Model, budget: Budget | float) -> SizeAssignment:
        values = searched_values(model)
        weights = weigh(values) if weigh is not None else None
        return threshold_assignment(values, budget, structure, weights)

    share = cut(model, budget).kept_share
    for number, kept in enumerate(cubic_schedule(share, rounds)):
        last = number == rounds - 1
        assignment = cut(model, budget if last else kept)
        if last:
            break
        model, _ = retrain(
            model,
            assignment,
            interactions,
            dataclasses.replace(recipe, max_epochs=epochs_per_round),
            objective=objective,
            seed=seed + number,
            checkpoint=f"{checkpoint}_round{number}.npz"
            if checkpoint
            else None,
            checkpoint_seconds=checkpoint_seconds,
        )
    return assignment, model


def searched_values(model: keras.Model) -> dict[str, np.ndarray]:
    """Values of the tables wider than one coordinate, by name."""
    return {
        name: table_values(table)
        for name, table in find_tables(model).items()
        if table.output_dim > 1
    }
