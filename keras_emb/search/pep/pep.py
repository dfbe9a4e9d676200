"""Pruning by thresholds that are trained with the tables."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.layers import (
    BipartiteGraph,
    SoftThresholdEmbedding,
    replace_tables,
)
from keras_emb.layers.rebuild import copy_layer
from keras_emb.search.dnis.selection import searched_tables
from keras_emb.training import (
    Checkpoint,
    PairwiseRecipe,
    PairwiseTrainer,
    TrainingRecord,
)
from keras_emb.training.model_state import digest_of

__all__ = ["PEP"]


class PEP:
    """Searches masks by training thresholds together with the tables.

    Liu et al., "Learnable Embedding Sizes for Recommender Systems", ICLR 2021,
    arXiv 2101.07577, Algorithm 1. Tables and thresholds are trained on the
    ranking loss (see `SoftThresholdEmbedding`) until few enough entries are
    left; these are the mask. Training it anew from the values that the tables
    had before the search is the rest of the method:

        masked = apply_assignment(search.model, masks)
        PairwiseTrainer(masked, graph, recipe).fit(seed, validate)

    One search serves several budgets: each gets the mask of the first check
    at which it is kept.

    >>> import keras_emb
    >>> from keras_emb.datasets import Interactions, synthetic
    >>> from keras_emb.training import PairwiseRecipe
    >>> from keras_emb.zoo import MatrixFactorization
    >>> planted = synthetic(num_users=60, num_items=40, num_ratings=900)
    >>> data = Interactions.from_ratings(planted.ratings, "random")
    >>> backbone = MatrixFactorization.from_sizes(
    ...     users=len(data.vocabularies["user"]),
    ...     items=len(data.vocabularies["item"]),
    ...     embedding_dim=4,
    ... )
    >>> recipe = PairwiseRecipe(learning_rate=0.1, batch_size=256)
    >>> search = keras_emb.PEP([0.5, 0.2], recipe=recipe, max_steps=400)
    >>> masks = search.fit(backbone, data)
    >>> masks.kept_share <= 0.5, search.assign(0.2).kept_share <= 0.2
    (True, True)

    Args:
        budget: Share of the tables' parameters to keep, or bytes; or several.
        recipe: Rates and batch size of the search.
        granularity: What shares a threshold, see `SoftThresholdEmbedding`.
        initial_threshold: First value of the thresholds before the sigmoid.
        weight_decay: What shrinks the rows and raises the thresholds, see
            `SoftThresholdEmbedding`.
        max_steps: Most steps, if not the recipe's.
        check_every: Steps between two counts of the entries left.
        loss: Loss of a positive and a negative score; `BPRLoss` by default.
        seed: Seed of the triplets.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        budget: Budget | float | int | Sequence[Budget | float | int],
        *,
        recipe: PairwiseRecipe | None = None,
        granularity: Literal[
            "global", "dimension", "feature", "feature_dimension"
        ] = "feature_dimension",
        initial_threshold: float = -15.0,
        weight_decay: float = 1.0,
        max_steps: int | None = None,
        check_every: int = 10,
        loss: Any = None,
        seed: int = 0,
    ) -> None:
        budgets = budget if isinstance(budget, Sequence) else [budget]
        if not budgets:
            raise ValueError(
                f"`budget` must hold at least one. Received: budget={budget}"
            )
        if check_every < 1:
            raise ValueError(
                "`check_every` must be at least 1. "
                f"Received: check_every={check_every}"
            )
        recipe = recipe or PairwiseRecipe()
        self.budgets = tuple(Budget.of(one) for one in budgets)
        self.recipe = dataclasses.replace(
            recipe,
            validate_every=check_every,
            max_steps=recipe.max_steps if max_steps is None else max_steps,
        )
        self.thresholds: dict[str, Any] = {
            "granularity": granularity,
            "initial_threshold": initial_threshold,
            "weight_decay": weight_decay,
        }
        # Refuses what is out of range before anything is trained.
        SoftThresholdEmbedding(1, 1, **self.thresholds)
        self.loss = loss
        self.seed = seed
        self._found: dict[Budget, SizeAssignment] = {}

    def fit(
        self,
        backbone: keras.Model,
        interactions: Interactions,
        *,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
    ) -> SizeAssignment:
        """Searches masks for a backbone.

        Afterwards `model` holds a copy of the backbone, with its values from
        before the search; `trace` the record of the search, whose entries
        have the share kept at every check.

        Args:
            backbone: Built model of users and items; it stays as it is.
            interactions: Training examples.
            callbacks: Keras callbacks, see `PairwiseTrainer.fit`; a check
                is the end of an epoch.
            checkpoint_dir: Folder for the state; an interrupted search goes
                on where it stood, given a backbone of the same values: masks
                belong to the values that a search has started from.
            checkpoint_seconds: Least time between two saves.

        Returns:
            The mask of the first budget; `assign` has the others.

        Raises:
            ValueError: If the backbone has no table to prune, or the
                checkpoint is of another search.
            RuntimeError: If a budget is not reached. Those that are can be
                had from `assign`.
        """
        names = set(searched_tables(backbone))
        self.model = copy_layer(backbone)
        folder = Path(checkpoint_dir) if checkpoint_dir else None
        self._found = self._read(folder) if folder else {}

        def make(name: str, layer: Any) -> Any:
            if name not in names:
                return layer
            return SoftThresholdEmbedding.from_table(layer, **self.thresholds)

        searched = replace_tables(backbone, make)
        tables = searched_tables(searched)

        def check(model: keras.Model) -> dict[str, float]:
            masks = SizeAssignment.from_masks(
                {name: table.mask() for name, table in tables.items()},
                {"method": "pep", **self.thresholds, "seed": self.seed},
            )
            for budget in self._missing:
                if _fits(masks, budget):
                    self._found[budget] = masks
                    if folder is not None:
                        masks.save(self._file(folder, budget))
            return {"kept_share": masks.kept_share}

        trainer = PairwiseTrainer(
            searched,
            BipartiteGraph.from_interactions(interactions),
            self.recipe,
            self.loss,
        )
        self.trace: TrainingRecord = trainer.fit(
            self.seed,
            check,
            monitor=None,
            checkpoint=folder / _STATE if folder else None,
            checkpoint_seconds=checkpoint_seconds,
            settings={
                **self.thresholds,
                "budgets": [str(budget) for budget in self.budgets],
                "backbone": digest_of(backbone.get_weights()),
            },
            callbacks=[*callbacks, _StopWhen(lambda: not self._missing)],
        )
        if self._missing:
            share = self.trace.history[-1]["kept_share"]
            over = self.trace.steps >= self.recipe.max_steps
            remedy = (
                "Raise `max_steps`, `weight_decay`, `initial_threshold`, or "
                "the learning rate or l2 of `recipe`"
                if over
                else "A callback has ended the search"
            )
            raise RuntimeError(
                f"After {self.trace.steps} steps {share:.2%} of the entries "
                f"are left, too many for {self._missing}. {remedy}. "
                f"Received: {self.thresholds}, recipe={self.recipe}"
            )
        return self.assign(self.budgets[0])

    def assign(self, budget: Budget | float | int) -> SizeAssignment:
        """The mask that the search has found for a budget.

        Args:
            budget: One of those that were searched for.

        Raises:
            ValueError: If there is no mask for it.
        """
        found = self._found.get(Budget.of(budget))
        if found is None:
            raise ValueError(
                "`budget` must be one that the search has reached: "
                f"{list(self._found)}. Received: budget={budget}"
            )
        return found

    @property
    def reached(self) -> list[Budget]:
        """The budgets that the search has found a mask for."""
        return list(self._found)

    def _file(self, folder: Path, budget: Budget) -> Path:
        return folder / f"masks_{self.budgets.index(budget)}.npz"

    def _read(self, folder: Path) -> dict[Budget, SizeAssignment]:
        """Masks that were found before the state in a folder was saved."""
        state = Checkpoint(folder / _STATE)
        if not state.exists():
            return {}
        _, values = state.load()
        shares = {entry["kept_share"] for entry in values["history"]}
        files = {b: self._file(folder, b) for b in self.budgets}
        masks = {
            budget: SizeAssignment.load(file)
            for budget, file in files.items()
            if file.exists()
        }
        # Those of later checks, or of another search, are found again.
        return {b: m for b, m in masks.items() if m.kept_share in shares}

    @property
    def _missing(self) -> list[Budget]:
        return [b for b in self.budgets if b not in self._found]


_STATE = "pep.npz"


class _StopWhen(keras.callbacks.Callback):
    """Ends a training once a condition holds."""

    def __init__(self, condition: Callable[[], bool]) -> None:
        super().__init__()
        self._condition = condition

    def on_epoch_end(
        self, epoch: int, logs: Mapping[str, float] | None = None
    ) -> None:
        if self._condition():
            self.model.stop_training = True


def _fits(assignment: SizeAssignment, budget: Budget) -> bool:
    if budget.num_bytes is not None:
        return assignment.memory_bytes(budget.precision) <= budget.num_bytes
    most = budget.num_parameters(assignment.dense_parameters)
    return assignment.num_parameters <= most
