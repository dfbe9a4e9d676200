"""AutoEmb: sizes by popularity, searched on a stream."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras

from keras_emb.bilevel import BilevelModel
from keras_emb.compression import Budget, SizeAssignment
from keras_emb.layers import (
    ProjectedEmbedding,
    SoftSizeEmbedding,
    find_tables,
)
from keras_emb.layers.seeded import seeded
from keras_emb.optimizers import SparseAdam
from keras_emb.search.autoemb.candidates import add_candidates
from keras_emb.search.autoemb.harden import harden
from keras_emb.search.autoemb.size_choice import choose_sizes
from keras_emb.search.autoemb.within_bytes import within_bytes
from keras_emb.training import StreamBatches, StreamRecord, train_on_stream

__all__ = ["AutoEmb"]

_BYTES = 4


class AutoEmb:
    """Searches sizes by popularity while a stream is learnt.

    Zhao et al., "AutoEmb: Automated Embedding Dimensionality Search in
    Streaming Recommendations", arXiv 2002.11252. Every id has a vector of
    every candidate size; controllers weigh them by the id's popularity and
    learn from past interactions, the model from the current ones, each batch
    being predicted before it is learnt from.

    What the paper leaves open, the hard choice of one size an id, is ours:
    the mixed vectors become one table of nested sizes (`harden`), and each id
    gets the size of greatest weight that the budget allows (`choose_sizes`).
    One search serves every budget, see `assign`.

    >>> import numpy as np
    >>> from keras_emb.training import StreamBatches
    >>> from keras_emb.zoo import StreamingDLRS
    >>> backbone = StreamingDLRS.from_sizes(users=30, items=30, embedding_dim=8)
    >>> ids = {"user": np.arange(60) % 30, "item": np.arange(60) % 29}
    >>> stream = StreamBatches(ids, np.ones(60), batch_size=20)
    >>> search = AutoEmb(budget=0.9, dims=[1, 8])
    >>> sizes = search.fit(backbone, stream)
    >>> sizes.kept_share <= 0.9
    True

    Args:
        budget: Share of the full tables' parameters to keep, or bytes; the
            linear map behind a table and its index count.
        dims: Candidate sizes, ascending.
        learning_rate: Rate of the model.
        controller_learning_rate: Rate of the controllers.
        controller: `"popularity"`, or `"logits"` for free weights of each id
            (the DARTS baseline).
        controller_options: Further arguments of `PopularityController`.
        bilevel: False trains controllers and model together on the current
            batch (the supervised-attention baseline).
        hypergradient: `"first_order"` or `"unrolled"`, see `BilevelModel`.
        mode: `"soft"` or `"hard"`, see `SoftSelection`.
        decay: Decay of the popularity, see `PopularityCounter`.
        importance_power: Power of the popularity by which an id's wish
            counts in `choose_sizes`.
        initializer: Initializer of the candidates' tables.
        loss: Loss of both problems.
        jit_compile: Whether XLA compiles the steps.
        seed: Seed of the initialisation.
    """

    def __init__(
        self,
        budget: Budget | float | int,
        *,
        dims: Sequence[int] = (2, 4, 8, 16, 64, 128),
        learning_rate: float = 1e-3,
        controller_learning_rate: float = 1e-4,
        controller: Literal["popularity", "logits"] = "popularity",
        controller_options: Mapping[str, Any] | None = None,
        bilevel: bool = True,
        hypergradient: Literal["first_order", "unrolled"] = "first_order",
        mode: Literal["soft", "hard"] = "soft",
        decay: float = 1.0,
        importance_power: float = 1.0,
        initializer: Any = "glorot_normal",
        loss: Any = "mse",
        jit_compile: bool = False,
        seed: int = 0,
    ) -> None:
        self.budget = Budget.of(budget)
        self.dims = list(dims)
        self.learning_rate = learning_rate
        self.controller_learning_rate = controller_learning_rate
        self.controller = controller
        self.controller_options = controller_options
        self.bilevel = bilevel
        self.hypergradient = hypergradient
        self.mode = mode
        self.decay = decay
        self.importance_power = importance_power
        self.initializer = initializer
        self.loss = loss
        self.jit_compile = jit_compile
        self.seed = seed

    def fit(
        self,
        backbone: keras.Model,
        stream: StreamBatches,
        *,
        steps: int | None = None,
        checkpoint_dir: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> SizeAssignment:
        """Learns a stream and decides sizes at its end.

        Afterwards `soft` holds the mixing model, `record` its predictions,
        each made before it was learnt from, and `model` the model of nested
        sizes to cut.

        Args:
            backbone: Built Keras model; it stays as it is.
            stream: The stream.
            steps: Batches to go through; all by default. A second `fit` with
                the same `checkpoint_dir` and more steps goes on.
            checkpoint_dir: Folder for the state of the run.
            checkpoint_seconds: Least time between two saves.
            callbacks: Keras callbacks, see `train_on_stream`.

        Returns:
            Sizes within the budget.
        """
        self.train(
            backbone,
            stream,
            steps=steps,
            checkpoint_dir=checkpoint_dir,
            checkpoint_seconds=checkpoint_seconds,
            callbacks=callbacks,
        )
        self.model = harden(self.soft)
        return self.assign(self.budget)

    def train(
        self,
        backbone: keras.Model,
        stream: StreamBatches,
        *,
        steps: int | None = None,
        checkpoint_dir: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> StreamRecord:
        """Learns a stream with mixed sizes and decides none.

        Args:
            backbone: As for `fit`, and all that follows.
            stream: The stream.
            steps: Batches to go through.
            checkpoint_dir: Folder for the state of the run.
            checkpoint_seconds: Least time between two saves.
            callbacks: Keras callbacks, see `train_on_stream`.

        Returns:
            The record, `record` from now on.
        """
        with seeded(self.seed):
            self.soft = add_candidates(
                backbone,
                self.dims,
                controller=self.controller,
                controller_options=self.controller_options,
                mode=self.mode,
                decay=self.decay,
                initializer=self.initializer,
            )
        folder = Path(checkpoint_dir) if checkpoint_dir else None
        self.record = train_on_stream(
            self._compiled(),
            stream,
            steps=steps,
            checkpoint=folder / "stream.npz" if folder else None,
            checkpoint_seconds=checkpoint_seconds,
            jit_compile=self.jit_compile,
            callbacks=callbacks,
        )
        return self.record

    def assign(self, budget: Budget | float | int) -> SizeAssignment:
        """Chooses sizes for another budget.

        Args:
            budget: Share of the full tables' parameters, or bytes.

        Returns:
            Sizes within the budget, each one of `dims`.

        Raises:
            ValueError: If the budget does not hold every id at the smallest
                size, the maps and the index.
        """
        soft = find_tables(self.soft)
        names = list(self._hardened())
        weights = {name: soft[name].size_weights() for name in names}
        importance = {name: self._importance(soft[name]) for name in names}
        return within_bytes(
            lambda parameters: choose_sizes(
                weights, self.dims, parameters, importance
            ),
            self.table_bytes(budget),
            {name: t.table.output_dim for name, t in self._hardened().items()},
            {"method": "autoemb", "dims": self.dims, "seed": self.seed},
        )

    def table_bytes(self, budget: Budget | float | int) -> int:
        """What a budget leaves for values and index, once maps are paid.

        Args:
            budget: Share of the full tables' parameters, or bytes.
        """
        budget = Budget.of(budget)
        tables = self._hardened().values()
        full = sum(t.vocabulary_size * t.output_dim for t in tables)
        maps = sum(
            math.prod(weight.shape)
            for table in tables
            for weight in table.projection_weights
        )
        limit = (
            budget.num_parameters(full) * _BYTES
            if budget.num_bytes is None
            else budget.num_bytes
        )
        return limit - maps * _BYTES

    def _hardened(self) -> dict[str, ProjectedEmbedding]:
        return {
            name: table
            for name, table in find_tables(self.model).items()
            if isinstance(table, ProjectedEmbedding)
        }

    def _importance(self, table: SoftSizeEmbedding) -> Any:
        counts = table.counter.counts.numpy()
        return (counts + 1.0) ** self.importance_power

    def _compiled(self) -> keras.Model:
        rate = self.learning_rate
        if not self.bilevel:
            self.soft.compile(SparseAdam(rate), loss=self.loss)
            self.soft.optimizer.build(self.soft.trainable_variables)
            return self.soft
        controllers = [
            table.controller
            for table in find_tables(self.soft).values()
            if isinstance(table, SoftSizeEmbedding)
        ]
        model = BilevelModel(self.soft, outer=controllers)
        model.compile(
            optimizer=SparseAdam(rate),
            outer_optimizer=SparseAdam(self.controller_learning_rate),
            loss=self.loss,
            hypergradient=self.hypergradient,
            outer_first=True,
        )
        return model
