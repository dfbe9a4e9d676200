"""Differentiable neural input search."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np

from keras_emb.bilevel import BilevelModel
from keras_emb.compression import (
    Budget,
    SizeAssignment,
    align,
    entry_weights,
    known_usages,
    threshold_assignment,
)
from keras_emb.datasets import Interactions
from keras_emb.layers import (
    SelectedEmbedding,
    find_tables,
    table_counts,
    table_values,
)
from keras_emb.layers.find_tables import is_table
from keras_emb.layers.rebuild import copy_layer
from keras_emb.optimizers import BlockNormalizedSGD, SparseAdam
from keras_emb.search.dnis.blocks import popularity_blocks
from keras_emb.search.dnis.selection import (
    add_selection,
    merge_selection,
    searched_tables,
)
from keras_emb.training import (
    Objective,
    PairedBatches,
    TrainingRecipe,
    TrainingRecord,
    fit_interactions,
    train,
)

__all__ = ["DNIS"]


class DNIS:
    """Searches which coordinates each popularity block of ids needs.

    Cheng, Shen and Huang, "Differentiable Neural Input Search for
    Recommender Systems", arXiv 2006.04466. The tables are trained with every
    coordinate on (warm start); a weight in [0, 1] for each coordinate of each
    popularity block is then trained on validation batches while all other
    weights train on training batches; the weights are then
    folded into the tables (layer merging); the smallest entries are pruned
    to the budget. Between merging and pruning the tables are turned into the
    basis in which a cut costs least, where the model allows it exactly
    (`keras_emb.compression.align`): our step, not the paper's.

    One search serves every budget: after `fit`, `assign` cuts the same model
    to another one.

    >>> import keras_emb
    >>> from keras_emb.datasets import Interactions, synthetic
    >>> from keras_emb.zoo import MatrixFactorization
    >>> planted = synthetic(num_users=60, num_items=40, num_ratings=900)
    >>> data = Interactions.from_ratings(planted.ratings, "random")
    >>> backbone = MatrixFactorization.from_sizes(
    ...     users=len(data.vocabularies["user"]),
    ...     items=len(data.vocabularies["item"]),
    ...     embedding_dim=4,
    ... )
    >>> search = keras_emb.DNIS(
    ...     budget=0.5, num_blocks=2, warm_start_epochs=1, search_epochs=1
    ... )
    >>> sizes = search.fit(backbone, data)
    >>> sizes.kept_share <= 0.5
    True

    Args:
        budget: Share of the tables' parameters to keep, or bytes.
        num_blocks: Number L of popularity blocks of equal count.
        block_sizes: Rows of each block, the most popular first, instead.
        recipe: Rates and batch size.
        warm_start_epochs: Most epochs of the training before the search; 0
            for a backbone that is trained already.
        search_epochs: Most epochs of the search; one ends with the
            validation examples.
        selection_learning_rate: Step of an average weight of selection.
        l1: Weight of the selection's L1 norm in the validation loss.
        normalize_gradient: Whether gradients are normalised by block
            (Equation 4).
        hypergradient: `"first_order"` or `"unrolled"`, see `BilevelModel`.
        trainable: `"all"` weights in the search (paper) or only `"tables"`
            and the per-id biases (reference code).
        align: Whether to turn the tables before pruning.
        alignment_power: Power of the rows' importance to the objective, of
            their popularity as a rule, that weighs them in `align`; below
            one, rare rows have more of a say.
        threshold_power: Power of the same that weighs the entries against
            the threshold, see `entry_weights`; zero is the paper's plain
            quantile.
        structure: `"prefix"` keeps the leading coordinates of a row and
            needs no index; `"mask"` is the paper's unstructured result. By
            default a prefix after alignment, a mask without, or where it is
            not known how the model uses its tables.
        usages: How tables are used, for `align` on foreign models.
        features: Input feature of each table, for models it cannot be read
            from.
        objective: Loss and metrics of both problems; the regression of
            ratings by default.
        seed: Seed of every random choice.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        budget: Budget | float | int,
        *,
        num_blocks: int | None = 10,
        block_sizes: Sequence[int] | None = None,
        recipe: TrainingRecipe | None = None,
        warm_start_epochs: int = 20,
        search_epochs: int = 50,
        selection_learning_rate: float = 1e-2,
        l1: float = 0.0,
        normalize_gradient: bool = True,
        hypergradient: Literal["first_order", "unrolled"] = "first_order",
        trainable: Literal["all", "tables"] = "all",
        align: bool = True,
        alignment_power: float = 0.5,
        threshold_power: float = 0.0,
        structure: Literal["prefix", "mask"] | None = None,
        usages: Sequence[Any] | None = None,
        features: Mapping[str, str] | None = None,
        objective: Objective | None = None,
        seed: int = 0,
    ) -> None:
        if trainable not in ("all", "tables"):
            raise ValueError(
                "`trainable` must be 'all' or 'tables'. "
                f"Received: trainable={trainable!r}"
            )
        if structure not in ("prefix", "mask", None):
            raise ValueError(
                "`structure` must be 'prefix', 'mask' or None. "
                f"Received: structure={structure!r}"
            )
        if hypergradient not in ("first_order", "unrolled"):
            raise ValueError(
                "`hypergradient` must be 'first_order' or 'unrolled'. "
                f"Received: hypergradient={hypergradient!r}"
            )
        if selection_learning_rate <= 0:
            raise ValueError(
                "`selection_learning_rate` must be positive. Received: "
                f"selection_learning_rate={selection_learning_rate}"
            )
        if l1 < 0:
            raise ValueError(f"`l1` must not be negative. Received: l1={l1}")
        self.budget = Budget.of(budget)
        self.num_blocks = None if block_sizes is not None else num_blocks
        self.block_sizes = block_sizes
        self.recipe = recipe or TrainingRecipe()
        self.warm_start_epochs = warm_start_epochs
        self.search_epochs = search_epochs
        self.selection_learning_rate = selection_learning_rate
        self.l1 = l1
        self.normalize_gradient = normalize_gradient
        self.hypergradient = hypergradient
        self.trainable = trainable
        self.align = align
        self.alignment_power = alignment_power
        self.threshold_power = threshold_power
        self.structure = structure
        self.usages = usages
        self.features = features
        self.objective = objective or Objective()
        self.seed = seed

    def fit(
        self,
        backbone: keras.Model,
        interactions: Interactions,
        *,
        callbacks: Sequence[keras.callbacks.Callback] = (),
        checkpoint_dir: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
    ) -> SizeAssignment:
        """Searches sizes for a backbone.

        Afterwards `model` holds the merged (and aligned) model, whose
        predictions are those of the search's best state; `merged` the same
        before alignment; `alpha` the weights of selection by table width;
        `trace` the history of both stages.

        Args:
            backbone: Built Keras model; it stays as it is.
            interactions: Training and validation examples.
            callbacks: Keras callbacks, see `train`: first of the warm start,
                then of the search, whose model is a `BilevelModel`.
            checkpoint_dir: Folder for the state; an interrupted search goes
                on where it stood.
            checkpoint_seconds: Least time between two saves.

        Returns:
            Sizes within the budget.

        Raises:
            ValueError: If the backbone has no table, popularity is not known
                for one, or the checkpoint is of another search.
        """
        folder = Path(checkpoint_dir) if checkpoint_dir else None
        self.popularity = self._counts(backbone, interactions.popularity)
        self.importance = self._counts(
            backbone, self.objective.importance(interactions)
        )
        # Before the warm start, which may take hours: they may be refused.
        blocks = popularity_blocks(
            self.popularity, self.num_blocks, self.block_sizes
        )
        self.trace: dict[str, TrainingRecord] = {}
        if self.warm_start_epochs:
            backbone = copy_layer(backbone)
            self.trace["warm_start"] = fit_interactions(
                backbone,
                interactions,
                dataclasses.replace(
                    self.recipe, max_epochs=self.warm_start_epochs
                ),
                objective=self.objective,
                seed=self.seed,
                checkpoint=folder / "warm_start.npz" if folder else None,
                checkpoint_seconds=checkpoint_seconds,
                callbacks=callbacks,
            )
        selected = self._search(
            backbone,
            blocks,
            interactions,
            folder / "search.npz" if folder else None,
            checkpoint_seconds,
            callbacks,
        )
        self.alpha = {
            table.selection.embedding_dim: table.selection.alpha.numpy()
            for table in find_tables(selected).values()
            if isinstance(table, SelectedEmbedding)
        }
        self.merged = merge_selection(selected)
        self.model = (
            align(
                self.merged,
                {
                    name: counts**self.alignment_power
                    for name, counts in self.importance.items()
                },
                self.usages,
            )
            if self.align
            else self.merged
        )
        return self.assign(self.budget)

    def assign(self, budget: Budget | float | int) -> SizeAssignment:
        """Cuts the searched model to a budget.

        Args:
            budget: Share of the tables' parameters, or bytes.

        Returns:
            Sizes within the budget.
        """
        values = {name: table_values(t) for name, t in self._tables().items()}
        aligned = self.align and bool(known_usages(self.merged, self.usages))
        assignment = threshold_assignment(
            values,
            budget,
            self.structure or ("prefix" if aligned else "mask"),
            entry_weights(
                values,
                self.importance,
                power=self.threshold_power,
                aligned=aligned,
            ),
        )
        return assignment.with_origin(
            {
                "method": "dnis",
                "align": self.align,
                "threshold_power": self.threshold_power,
                "seed": self.seed,
            }
        )

    def _tables(self) -> dict[str, Any]:
        return searched_tables(self.model)

    def _counts(
        self, backbone: keras.Model, by_feature: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        return table_counts(
            backbone,
            by_feature,
            tables=searched_tables(backbone),
            features=self.features,
        )

    def _search(
        self,
        backbone: keras.Model,
        blocks: Mapping[str, np.ndarray],
        interactions: Interactions,
        checkpoint: Path | None,
        checkpoint_seconds: float,
        callbacks: Sequence[keras.callbacks.Callback],
    ) -> keras.Model:
        selected = add_selection(backbone, blocks, l1=self.l1)
        selections = {
            id(table.selection): table.selection
            for table in find_tables(selected).values()
            if isinstance(table, SelectedEmbedding)
        }
        frozen = _freeze_dense(selected) if self.trainable == "tables" else []
        bilevel = BilevelModel(selected, outer=list(selections.values()))
        outer = (
            BlockNormalizedSGD
            if self.normalize_gradient
            else (keras.optimizers.SGD)
        )
        bilevel.compile(
            optimizer=SparseAdam(self.recipe.learning_rate),
            outer_optimizer=outer(self.selection_learning_rate),
            loss=self.objective.loss,
            hypergradient=self.hypergradient,
        )
        batch_size = self.recipe.batch_size
        batches = PairedBatches(
            self.objective.batches(
                interactions,
                "train",
                batch_size=batch_size,
                seed=self.seed + 1,
            ),
            self.objective.batches(
                interactions,
                "validation",
                batch_size=batch_size,
                seed=self.seed + 2,
            ),
        )
        recipe = dataclasses.replace(
            self.recipe,
            max_epochs=self.search_epochs,
            patience=1,
            threshold=1e-7,
            stop_after=max(self.search_epochs, 1),
        )
        self.trace["search"] = train(
            bilevel,
            batches,
            self.objective.watched(interactions),
            recipe,
            objective=self.objective,
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
            settings={
                "seed": self.seed,
                "num_blocks": self.num_blocks,
                "block_sizes": None
                if self.block_sizes is None
                else [int(size) for size in self.block_sizes],
                "selection_learning_rate": self.selection_learning_rate,
                "l1": self.l1,
                "normalize_gradient": self.normalize_gradient,
                "hypergradient": self.hypergradient,
                "trainable": self.trainable,
            },
            # Selection of nothing may rank best; it searches nothing.
            keep_start=False,
            callbacks=callbacks,
        )
        # The merged model is retrained with all its weights.
        for layer, trainable in frozen:
            layer.trainable = trainable
        return selected


def _freeze_dense(model: Any) -> list[tuple[Any, bool]]:
    """Freezes all layers without tables; returns what they were."""
    frozen = []
    for layer in model._layers:
        if is_table(layer):
            continue
        inside = layer._flatten_layers()
        if any(is_table(inner) for inner in inside):
            frozen += _freeze_dense(layer)
        elif layer.trainable:
            frozen += [(inner, inner.trainable) for inner in inside]
            layer.trainable = False
    return frozen
