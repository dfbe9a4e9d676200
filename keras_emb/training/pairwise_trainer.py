"""The training loop of ranking models: validation, best state, resume."""

import dataclasses
import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_emb.layers import BipartiteGraph
from keras_emb.optimizers import SparseAdam
from keras_emb.training.callback_list import callback_list, logs_of
from keras_emb.training.checkpoint import Checkpoint
from keras_emb.training.floored_decay import FlooredDecay
from keras_emb.training.model_state import (
    digest_of,
    load_state,
    state_arrays,
    state_variables,
)
from keras_emb.training.pairwise_model import PairwiseModel
from keras_emb.training.pairwise_recipe import PairwiseRecipe
from keras_emb.training.step_runner import StepRunner
from keras_emb.training.train import TrainingRecord
from keras_emb.training.triplet_sampler import TripletSampler

__all__ = ["PairwiseTrainer"]

Validate = Callable[[keras.Model], Mapping[str, float]]


class PairwiseTrainer:
    """Trains one model to rank, as often as wanted, tracing it once.

    A search that trains hundreds of recommenders of one shape gives their
    first weights to one model and its trainer.

    >>> import numpy as np
    >>> from keras_emb.zoo import MatrixFactorization
    >>> graph = BipartiteGraph.from_pairs([1, 1, 2], [1, 2, 3], 3, 5)
    >>> model = MatrixFactorization.from_sizes(
    ...     users=3, items=5, embedding_dim=4
    ... )
    >>> recipe = PairwiseRecipe(max_steps=10, batch_size=8)
    >>> PairwiseTrainer(model, graph, recipe).fit(seed=0).steps
    10

    Args:
        model: Built model of users and items, see `PairwiseModel`.
        graph: Training interactions.
        recipe: Rates, steps, patience.
        loss: Loss of a positive and a negative score; `BPRLoss` by default.
    """

    def __init__(
        self,
        model: keras.Model,
        graph: BipartiteGraph,
        recipe: PairwiseRecipe,
        loss: Any = None,
    ) -> None:
        self.model = model
        self.recipe = recipe
        self._pairwise = PairwiseModel(
            model, TripletSampler(graph), recipe.batch_size, recipe.l2
        )
        self._pairwise.compile(
            SparseAdam(
                FlooredDecay(
                    recipe.learning_rate,
                    recipe.decay,
                    recipe.decay_steps,
                    recipe.min_learning_rate,
                )
            ),
            loss=loss,
        )
        self._runner = StepRunner(self._pairwise)
        self._data = digest_of([graph.user_degrees, graph.items])

    def fit(
        self,
        seed: int,
        validate: Validate | None = None,
        *,
        monitor: str | None = "ndcg@20",
        max_steps: int | None = None,
        checkpoint: str | Path | None = None,
        checkpoint_seconds: float = 20.0,
        settings: Mapping[str, Any] | None = None,
        callbacks: Sequence[keras.callbacks.Callback] = (),
    ) -> TrainingRecord:
        """Trains the model from the weights it has.

        With `validate` it is left in its best state, the first one included;
        without, or without a `monitor`, in its last. An interrupted run with
        a `checkpoint` goes on where it stood and ends as it would have ended.

        Args:
            seed: Seed of the triplets, and of dropout.
            validate: `model -> metrics`, such as `FullRanking`.
            monitor: Metric to maximise; None keeps the last state.
            max_steps: Most steps, if not the recipe's.
            checkpoint: File for the state of the run.
            checkpoint_seconds: Least time between two saves.
            settings: What else decides the outcome: plain values. A
                checkpoint of other settings is refused.
            callbacks: Keras callbacks, see `callback_list`, whose model is
                the `PairwiseModel` around this one. Each validation but that
                of the start is told to them as the end of an epoch;
                `stop_training` ends the run for good.

        Returns:
            The record of the run; an "epoch" of its history is a validation.

        Raises:
            ValueError: If the checkpoint is of another model or settings, or
                `monitor` is no metric of `validate`.
            FloatingPointError: If a loss is no longer finite. The last
                checkpoint stays as it was.
        """
        recipe = self.recipe
        if max_steps is not None:
            recipe = dataclasses.replace(recipe, max_steps=max_steps)
        self._start_anew(seed)
        settings = {"data": self._data, **(settings or {})}
        run = _Run(self._pairwise, recipe, seed, monitor, settings, checkpoint)
        told = callback_list(callbacks, self._pairwise)

        def observe(logs: Mapping[str, float], step: int) -> dict[str, float]:
            found = validate(self.model) if validate is not None else {}
            if validate is not None and monitor not in (None, *found):
                raise ValueError(
                    "`monitor` must be one of the metrics of `validate`, "
                    f"{sorted(found)}. Received: monitor={monitor!r}"
                )
            return run.observe(logs, found, step)

        told.on_train_begin()
        if not run.resume():
            observe({}, 0)
        while not run.over and not self._pairwise.stop_training:
            epoch, first = len(run.history) - 1, run.step
            told.on_epoch_begin(epoch)
            last = min(first + recipe.validate_every, recipe.max_steps)
            logs = self._runner.run(self._seeds(seed, first, last))
            told.on_epoch_end(epoch, logs_of(observe(logs, last)))
            run.save_if_due(checkpoint_seconds)
        told.on_train_end(logs_of(run.history[-1]))
        run.finish()
        return TrainingRecord(tuple(run.history), run.best, run.seconds)

    def _start_anew(self, seed: int) -> None:
        """Forgets what earlier runs have left beside the weights."""
        optimizer = self._pairwise.optimizer
        if isinstance(optimizer, keras.optimizers.LossScaleOptimizer):
            optimizer.step_counter.assign(0)
            optimizer.dynamic_scale.assign(optimizer.initial_scale)
            optimizer = optimizer.inner_optimizer
        for variable in optimizer.variables:
            if variable is not optimizer._learning_rate:
                variable.assign(np.zeros(variable.shape, variable.dtype))
        generators = [
            generator
            for layer in self.model._flatten_layers()
            for generator in layer._seed_generators
        ]
        for number, generator in enumerate(generators):
            # Neighbouring states would be each other's next draws.
            sequence = np.random.SeedSequence([seed % 2**32, number])
            generator.state.assign(sequence.generate_state(2))

    def _seeds(self, seed: int, first: int, last: int) -> np.ndarray:
        """What seeds the draws of each step on each replica."""
        strategy = self._pairwise.distribute_strategy
        replicas = strategy.num_replicas_in_sync
        grid = np.zeros((last - first, replicas, 3), np.int32)
        grid[..., 0] = seed % (2**31)
        grid[..., 1] = np.arange(first, last)[:, None]
        grid[..., 2] = np.arange(replicas)
        return grid


class _Run:
    """State of one run, in memory and on disk."""

    def __init__(
        self,
        pairwise: PairwiseModel,
        recipe: PairwiseRecipe,
        seed: int,
        monitor: str | None,
        settings: Mapping[str, Any],
        checkpoint: str | Path | None,
    ) -> None:
        self._pairwise = pairwise
        self._recipe = recipe
        self._monitor = monitor
        self._origin = json.loads(
            json.dumps(
                {
                    **dataclasses.asdict(recipe),
                    **settings,
                    "seed": int(seed),
                    "monitor": monitor,
                    "shapes": [
                        list(v.shape) for v in state_variables(pairwise)
                    ],
                }
            )
        )
        self._checkpoint = Checkpoint(checkpoint) if checkpoint else None
        self._saved_at = self._started_at = time.monotonic()
        self._earlier_seconds = 0.0
        self._best_weights: list[np.ndarray] = []
        self._finished = False
        self.history: list[dict[str, float]] = []
        self.best = 0

    @property
    def step(self) -> int:
        return int(self.history[-1]["step"])

    @property
    def seconds(self) -> float:
        return self._earlier_seconds + time.monotonic() - self._started_at

    @property
    def over(self) -> bool:
        stale = len(self.history) - 1 - self.best
        monitored = self._monitor in self.history[0]
        return (
            self._finished
            or self.step >= self._recipe.max_steps
            or (monitored and stale >= self._recipe.patience)
        )

    def observe(
        self, logs: Mapping[str, float], metrics: Mapping[str, float], step: int
    ) -> dict[str, float]:
        entry = {
            "epoch": len(self.history),
            "step": step,
            **logs,
            "seconds": self.seconds,
            **{name: float(value) for name, value in metrics.items()},
        }
        self.history.append(entry)
        if self._monitor in self.history[0]:
            best = self.history[self.best][self._monitor]
            if step == 0 or entry[self._monitor] > best:
                self.best = len(self.history) - 1
                self._best_weights = self._pairwise.model.get_weights()
        else:
            self.best = len(self.history) - 1
        return entry

    def resume(self) -> bool:
        if self._checkpoint is None or not self._checkpoint.exists():
            return False
        arrays, values = self._checkpoint.load()
        saved = values["origin"]
        if saved != self._origin:
            both = {**saved, **self._origin}
            differ = [k for k in both if saved.get(k) != self._origin.get(k)]
            raise ValueError(
                "`checkpoint` must be of the same model and settings; delete "
                "it or name another. Received: "
                f"checkpoint={self._checkpoint.path}, which differs in {differ}"
            )
        load_state(self._pairwise, arrays)
        self._best_weights = [
            arrays[f"best_{i}"] for i in range(values["num_best"])
        ]
        self.history = values["history"]
        self.best = values["best"]
        self._earlier_seconds = values["seconds"]
        self._finished = values["finished"]
        return True

    def save_if_due(self, interval: float) -> None:
        if time.monotonic() - self._saved_at >= interval:
            self._save()

    def finish(self) -> None:
        if self._best_weights:
            self._pairwise.model.set_weights(self._best_weights)
        if not self._finished:
            self._finished = True
            self._save()

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        arrays = state_arrays(self._pairwise)
        arrays.update(
            (f"best_{i}", value) for i, value in enumerate(self._best_weights)
        )
        self._checkpoint.save(
            arrays,
            {
                "history": self.history,
                "best": self.best,
                "num_best": len(self._best_weights),
                "seconds": self.seconds,
                "finished": self._finished,
                "origin": self._origin,
            },
        )
        self._saved_at = time.monotonic()
