"""AutoDim: one size a field, by Gumbel-softmax."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import ops

from keras_emb.bilevel import BilevelModel
from keras_emb.compression import Budget, SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.layers import (
    FieldSizeEmbedding,
    GumbelSelection,
    MultiSizeEmbedding,
    find_tables,
    replace_tables,
    table_rows,
)
from keras_emb.layers.seeded import seeded
from keras_emb.optimizers import SparseAdam
from keras_emb.search.autodim.field_sizes import (
    field_sizes,
    gumbel_temperature,
)
from keras_emb.search.autoemb.within_bytes import within_bytes
from keras_emb.training import (
    Objective,
    PairedBatches,
    TrainingRecipe,
    TrainingRecord,
    train,
)

__all__ = ["AutoDim"]


class AutoDim:
    """Searches one size for every table.

    Zhao et al., "AutoDim: Field-aware Embedding Dimension Search in
    Recommender Systems", WWW 2021. Each table has a candidate of every size,
    brought to the table's width by a linear map and batch normalisation; a
    Gumbel-softmax that grows colder mixes them. Its weights learn on
    validation batches, all else on training batches. The likeliest size wins:
    train it from scratch (`retrain(..., start="scratch")`).

    >>> from keras_emb.datasets import Interactions, synthetic
    >>> from keras_emb.zoo import MLP
    >>> planted = synthetic(num_users=60, num_items=40, num_ratings=900)
    >>> data = Interactions.from_ratings(planted.ratings, "random")
    >>> backbone = MLP.from_sizes(
    ...     users=len(data.vocabularies["user"]),
    ...     items=len(data.vocabularies["item"]),
    ...     embedding_dim=8,
    ... )
    >>> search = AutoDim(budget=0.5, dims=[2, 8], search_epochs=1)
    >>> search.fit(backbone, data).kept_share <= 0.5
    True

    Args:
        budget: Share of the tables' parameters to keep, or bytes.
        dims: Candidate sizes, ascending, none larger than a table; by default
            a sixteenth, a quarter, a half, three quarters and all of it,
            the paper's for a width of 32.
        recipe: Rate and batch size.
        search_epochs: Most epochs; one ends with the validation examples.
        selection_learning_rate: Adam's rate for the weights of the sizes.
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
        dims: Sequence[int] | None = None,
        recipe: TrainingRecipe | None = None,
        search_epochs: int = 20,
        selection_learning_rate: float = 1e-3,
        objective: Objective | None = None,
        seed: int = 0,
    ) -> None:
        if search_epochs < 0 or selection_learning_rate <= 0:
            raise ValueError(
                "`search_epochs` must not be negative and "
                "`selection_learning_rate` must be positive. Received: "
                f"search_epochs={search_epochs}, "
                f"selection_learning_rate={selection_learning_rate}"
            )
        self.budget = Budget.of(budget)
        self.dims = None if dims is None else list(dims)
        self.recipe = recipe or TrainingRecipe()
        self.search_epochs = search_epochs
        self.selection_learning_rate = selection_learning_rate
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

        Afterwards `weights` holds the weights of the sizes by table, and
        `trace` the history of the search.

        Args:
            backbone: Built Keras model; it stays as it is, and its values do
                not matter.
            interactions: Training and validation examples.
            callbacks: Keras callbacks, see `train`.
            checkpoint_dir: Folder for the state; an interrupted search goes
                on where it stood.
            checkpoint_seconds: Least time between two saves.

        Returns:
            Sizes within the budget.

        Raises:
            ValueError: If a table is narrower than a candidate, the budget
                than the smallest ones, or the checkpoint is of another
                search.
        """
        tables = {
            name: table
            for name, table in find_tables(backbone).items()
            if table.output_dim > 1
        }
        self._shapes = {
            name: (table_rows(table), int(table.output_dim))
            for name, table in tables.items()
        }
        dims = self.dims or _default_dims(self._shapes)
        if not tables or max(dims) > min(w for _, w in self._shapes.values()):
            raise ValueError(
                "`dims` must fit into every table wider than one coordinate. "
                f"Received: dims={dims}, tables {self._shapes}"
            )
        with seeded(self.seed):
            selection = GumbelSelection(len(tables), len(dims), seed=self.seed)
            searched = _with_candidates(backbone, list(tables), dims, selection)
        bilevel = _AnnealedModel(searched, selection)
        bilevel.compile(
            optimizer=SparseAdam(self.recipe.learning_rate),
            outer_optimizer=keras.optimizers.Adam(self.selection_learning_rate),
            loss=self.objective.loss,
        )
        train_batches = self.objective.batches(
            interactions,
            "train",
            batch_size=self.recipe.batch_size,
            seed=self.seed + 1,
        )
        validation_batches = self.objective.batches(
            interactions,
            "validation",
            batch_size=self.recipe.batch_size,
            seed=self.seed + 2,
        )
        self.trace: TrainingRecord = train(
            bilevel,
            PairedBatches(train_batches, validation_batches),
            self.objective.watched(interactions),
            dataclasses.replace(
                self.recipe,
                max_epochs=self.search_epochs,
                patience=1,
                stop_after=max(self.search_epochs, 1),
            ),
            objective=self.objective,
            checkpoint=Path(checkpoint_dir) / "autodim.npz"
            if checkpoint_dir
            else None,
            checkpoint_seconds=checkpoint_seconds,
            settings={
                "seed": self.seed,
                "dims": [int(dim) for dim in dims],
                "selection_learning_rate": self.selection_learning_rate,
            },
            callbacks=callbacks,
            keep_start=False,
        )
        self._searched_dims = [int(dim) for dim in dims]
        alpha = ops.convert_to_numpy(ops.softmax(selection.logits.value))
        self.weights = dict(zip(tables, alpha, strict=True))
        return self.assign(self.budget)

    def assign(self, budget: Budget | float | int) -> SizeAssignment:
        """Chooses sizes within another budget.

        Args:
            budget: Share of the tables' parameters, or bytes.

        Raises:
            ValueError: If it is too small for the smallest candidates.
        """
        budget = Budget.of(budget)
        origin = {"method": "autodim", "seed": self.seed}
        widths = {name: width for name, (_, width) in self._shapes.items()}
        dense = sum(rows * width for rows, width in self._shapes.values())
        if budget.num_bytes is not None:
            return within_bytes(self._sizes, budget.num_bytes, widths, origin)
        sizes = self._sizes(budget.num_parameters(dense))
        return SizeAssignment.from_sizes(sizes, widths, origin)

    def _sizes(self, most_parameters: int) -> dict[str, np.ndarray]:
        rows = [rows for rows, _ in self._shapes.values()]
        chosen = field_sizes(
            np.stack(list(self.weights.values())),
            self._searched_dims,
            rows,
            most_parameters,
        )
        return {
            name: np.full(count, size)
            for name, count, size in zip(
                self._shapes, rows, chosen, strict=True
            )
        }


class _AnnealedModel(BilevelModel):
    """Draws sizes in both problems, at a temperature that falls."""

    def __init__(self, model: keras.Model, selection: GumbelSelection) -> None:
        super().__init__(model, outer=[selection], name="autodim")
        self._selection = selection

    def train_step(self, data: Any) -> dict[str, Any]:
        steps = ops.cast(self.optimizer.iterations, "float32")
        self._selection.temperature.assign(gumbel_temperature(steps))
        return super().train_step(data)

    def _outer_gradients(self, data: Any) -> list[Any]:
        # The outer problem runs without training, for the normalisation's
        # sake, and would see the weights without the noise.
        self._selection.sampling = True
        try:
            return super()._outer_gradients(data)
        finally:
            self._selection.sampling = False


def _with_candidates(
    backbone: keras.Model,
    names: Sequence[str],
    dims: Sequence[int],
    selection: GumbelSelection,
) -> keras.Model:
    def make(name: str, layer: Any) -> Any:
        if name not in names:
            return layer
        candidates = MultiSizeEmbedding(
            table_rows(layer),
            dims,
            layer.output_dim,
            activation=None,
            name=f"{layer.name}_candidates",
        )
        return FieldSizeEmbedding(
            candidates, selection, names.index(name), name=layer.name
        )

    return replace_tables(backbone, make)


def _default_dims(shapes: dict[str, tuple[int, int]]) -> list[int]:
    width = min(width for _, width in shapes.values())
    return sorted({max(width * n // 16, 1) for n in (1, 4, 8, 12, 16)})
