"""One recommender whose sizes and weights are set again and again."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_emb.compression import SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.evaluation import FullRanking, quality_of_entities
from keras_emb.layers import (
    BipartiteGraph,
    find_tables,
    replace_tables,
)
from keras_emb.layers.reinitialize import reinitialize
from keras_emb.layers.seeded import seeded
from keras_emb.search.ciess.evaluation import Evaluation
from keras_emb.search.ciess.size_space import SizeSpace
from keras_emb.training import (
    PairwiseRecipe,
    PairwiseTrainer,
    TrainingRecord,
    apply_assignment,
)

__all__ = [
    "SizedRecommender",
    "list_quality",
    "sizes_of_tables",
    "with_quality",
]

_WIDTH_STEP = 8


def list_quality(metrics: Mapping[str, float]) -> float:
    """The mean of Recall and NDCG over all lengths of lists.

    Qu et al., arXiv 2304.03501, Equation 8, with means over users.

    >>> list_quality({"recall@5": 0.2, "ndcg@5": 0.4, "map@5": 0.9})
    0.30000000000000004

    Args:
        metrics: What `FullRanking` found, by name.
    """
    return float(
        np.mean(
            [
                value
                for name, value in metrics.items()
                if name.startswith(("recall@", "ndcg@"))
            ]
        )
    )


def with_quality(metrics: Mapping[str, float]) -> dict[str, float]:
    """Metrics with `list_quality` among them, as `quality`.

    >>> with_quality({"recall@5": 0.5, "ndcg@5": 0.5})["quality"]
    0.5

    Args:
        metrics: What `FullRanking` found, by name.
    """
    return {**metrics, "quality": list_quality(metrics)}


def sizes_of_tables(
    model: keras.Model, sizes: Mapping[str, Any] | SizeAssignment
) -> SizeAssignment:
    """Gives every table the sizes of the entities that are looked up in it.

    >>> from keras_emb.zoo import NeuMF
    >>> model = NeuMF.from_sizes(
    ...     users=2, items=2, embedding_dim=4, equal_widths=True
    ... )
    >>> sizes = sizes_of_tables(model, {"user": [1, 4], "item": [2, 2]})
    >>> sizes.sizes("user_mlp").tolist()
    [1, 4]

    Args:
        model: A model of users and items. Tables of one coordinate (biases)
            are left alone.
        sizes: Integers of shape `(rows,)` by input feature, or an assignment
            for the model's tables, as `CIESS` returns it.

    Returns:
        An assignment for the model's tables.

    Raises:
        ValueError: If the tables are not of one width, or an assignment is
            of other tables.
    """
    if not isinstance(sizes, SizeAssignment):
        rows = {feature: len(one) for feature, one in sizes.items()}
        return SizeSpace.of(model, rows).assignment(sizes)
    tables = {n for n, t in find_tables(model).items() if t.output_dim > 1}
    if set(sizes.tables) != tables:
        raise ValueError(
            "`sizes` must be an assignment for the tables of the model, "
            f"{sorted(tables)}. Received: {sorted(sizes.tables)}"
        )
    return sizes


class SizedRecommender:
    """Trains and values one recommender at any sizes, traced once.

    A search asks for hundreds of recommenders that differ in their sizes and
    first weights only. They take turns in one model: the sizes are weights of
    its `MaskedEmbedding` tables, and nothing is traced anew. Where no row is
    as wide as the tables and the model allows it (`any_width`), a narrower
    twin is trained in its place, in less time and to the same end.

    Args:
        model: A model of users and items; it stays as it is.
        interactions: Training and validation examples.
        recipe: How it is trained.
        cutoffs: Lengths of the lists that are valued.
    """

    def __init__(
        self,
        model: keras.Model,
        interactions: Interactions,
        recipe: PairwiseRecipe,
        cutoffs: Sequence[int] = (5, 10, 20),
    ) -> None:
        rows = {k: len(v) for k, v in interactions.vocabularies.items()}
        space = SizeSpace.of(model, rows)
        self.d_max = space.d_max
        self.full_sizes = space.even(self.d_max)
        self.model = apply_assignment(
            model, sizes_of_tables(model, self.full_sizes)
        )
        self._interactions = interactions
        self.cutoffs = tuple(cutoffs)
        self._ranking = FullRanking(interactions, "validation", cutoffs)
        self._graph = BipartiteGraph.from_interactions(interactions)
        self._recipe = recipe
        self._trainers = {self.d_max: self._trainer_of(self.model)}
        self._first_weights = self.model.get_weights()

    def start(
        self,
        sizes: Mapping[str, Any] | SizeAssignment,
        seed: int | None = None,
    ) -> None:
        """Sets sizes, and weights from which to go on.

        Args:
            sizes: As `sizes_of_tables` takes them.
            seed: Seed of fresh weights; the weights of the model that the
                recommender was made of by default.
        """
        if seed is None:
            self.model.set_weights(self._first_weights)
        else:
            with seeded(seed):
                fresh = reinitialize(self.model)
            for own, new in zip(
                self.model.weights,
                fresh.weights,
                strict=True,
            ):
                own.assign(new.value)
        assignment = sizes_of_tables(self.model, sizes)
        tables = find_tables(self.model)
        for name in assignment.tables:
            tables[name].assign_sizes(assignment.sizes(name))

    def train(
        self,
        seed: int,
        *,
        max_steps: int | None = None,
        validated: bool = True,
        checkpoint: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
        settings: Mapping[str, Any] | None = None,
    ) -> TrainingRecord:
        """Trains from the weights and at the sizes of the moment.

        Args:
            seed: Seed of the triplets.
            max_steps: Most steps, if not the recipe's.
            validated: Whether the best state on validation is kept, the
                first one included.
            checkpoint: File for the state of the run.
            checkpoint_seconds: Least time between two saves.
            settings: What else a checkpoint must share.

        Returns:
            The record of the run; `quality` is what `evaluation` scores.
        """
        width = self._width()
        trainer = self._trainer_of_width(width)
        self._copy_tables(self.model, trainer.model, width)
        record = trainer.fit(
            seed,
            (lambda model: with_quality(self._ranking(model).metrics))
            if validated
            else None,
            monitor="quality",
            max_steps=max_steps,
            checkpoint=checkpoint,
            checkpoint_seconds=checkpoint_seconds,
            settings=settings,
        )
        self._copy_tables(trainer.model, self.model, width)
        return record

    def copy(self) -> keras.Model:
        """A model of its own with the weights and sizes of the moment."""
        return replace_tables(self.model, lambda name, table: table)

    def evaluation(self) -> Evaluation:
        """Quality of every user and item on validation, and of the whole."""
        result = self._ranking(self.model)
        quality = quality_of_entities(result, self._interactions, self.cutoffs)
        return Evaluation(quality, list_quality(result.metrics))

    def _width(self) -> int:
        """Coordinates to train at: no more than the widest row needs."""
        if not getattr(self.model, "any_width", False):
            return self.d_max
        widest = max(
            float(np.max(table.sizes.numpy()))
            for table in find_tables(self.model).values()
        )
        # Few widths, so that few models are traced.
        width = -int(-max(widest, 1.0) // _WIDTH_STEP) * _WIDTH_STEP
        return min(width, self.d_max)

    def _trainer_of_width(self, width: int) -> PairwiseTrainer:
        if width not in self._trainers:
            narrower = self.model.with_tables(
                {
                    name: type(table).from_config(
                        {**table.get_config(), "output_dim": width}
                    )
                    for name, table in find_tables(self.model).items()
                }
            )
            self._trainers[width] = self._trainer_of(narrower)
        return self._trainers[width]

    def _trainer_of(self, model: keras.Model) -> PairwiseTrainer:
        return PairwiseTrainer(model, self._graph, self._recipe)

    def _copy_tables(
        self, source: keras.Model, target: keras.Model, width: int
    ) -> None:
        """Hands the first coordinates of all tables, and sizes, over."""
        if source is target:
            return
        tables = find_tables(target)
        for name, table in find_tables(source).items():
            values = tables[name].embeddings.numpy()
            values[:, :width] = table.embeddings.numpy()[:, :width]
            tables[name].embeddings.assign(values)
            tables[name].sizes.assign(table.sizes)
