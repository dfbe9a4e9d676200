"""The training loop: epochs, validation, best state, resume."""

import dataclasses
import json
import logging
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_emb.evaluation.predict import Predictor
from keras_emb.training.batches import Batches
from keras_emb.training.callback_list import callback_list, logs_of
from keras_emb.training.checkpoint import Checkpoint
from keras_emb.training.model_state import (
    load_state,
    state_arrays,
    state_variables,
)
from keras_emb.training.objective import Objective
from keras_emb.training.plateau import Plateau
from keras_emb.training.step_runner import StepRunner
from keras_emb.training.training_recipe import TrainingRecipe

__all__ = ["TrainingRecord", "train"]

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class TrainingRecord:
    """What happened in a training run.

    Args:
        history: One mapping an epoch: `epoch`, `step`, `loss`,
            `learning_rate`, `seconds` and the validation metrics. Epoch 0 is
            the state before training.
        best_epoch: Epoch whose state the model holds now.
        seconds: Time spent, over all sessions of the run.
    """

    history: tuple[dict[str, float], ...]
    best_epoch: int
    seconds: float

    @property
    def best(self) -> dict[str, float]:
        """The entry of `history` whose state the model holds."""
        return self.history[self.best_epoch]

    @property
    def steps(self) -> int:
        """Steps of training in all."""
        return int(self.history[-1]["step"])


def train(
    model: keras.Model,
    batches: Batches,
    validation: Any,
    recipe: TrainingRecipe,
    *,
    objective: Objective | None = None,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    settings: Mapping[str, Any] | None = None,
    keep_start: bool = True,
    jit_compile: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> TrainingRecord:
    """Trains a compiled model and leaves it in its best state.

    The state before the first step counts as epoch 0: training that only
    hurts is undone entirely, unless `keep_start` is off. A run with a
    `checkpoint` that was interrupted goes on where it stood and ends as it
    would have ended.

    Args:
        model: Compiled and built; its optimizer's rate is set here.
        batches: Where batches come from, see `ShuffledBatches`.
        validation: Object with `features` and `label`.
        recipe: Rates, epochs, patience.
        objective: Metrics, and the one that tells the best epoch; the
            regression of ratings by default. Its loss is the business of
            `model.compile`.
        checkpoint: File for the state of the run.
        checkpoint_seconds: Least time between two saves.
        settings: What else decides the outcome, such as a seed: plain values.
            A checkpoint of other settings is refused.
        keep_start: Whether the best state may be the one before the first
            step, where an epoch follows.
        jit_compile: Whether XLA compiles the steps.
        callbacks: Keras callbacks, told of every epoch that trains, see
            `callback_list`; `stop_training` ends the run for good.

    Returns:
        The record of the run.

    Raises:
        ValueError: If the checkpoint is of another model, recipe or settings.
        FloatingPointError: If a loss is no longer finite. The last
            checkpoint stays as it was.
    """
    objective = objective or Objective()
    run = _Run(
        model,
        recipe,
        objective,
        settings,
        checkpoint,
        checkpoint_seconds,
        keep_start,
    )
    predictor = Predictor(model)
    runner = StepRunner(model, jit_compile)

    def validate() -> dict[str, float]:
        outputs = predictor(validation.features)
        metrics = objective.evaluate(outputs, validation.label)
        if not np.isfinite(metrics[objective.monitor]):
            raise FloatingPointError(
                "Training diverged: a validation metric is not finite. "
                f"Received: {metrics}"
            )
        return metrics

    told = callback_list(callbacks, model)
    told.on_train_begin()
    if not run.resume():
        run.observe({}, validate(), 0)
    while not run.over and not model.stop_training:
        epoch, first = len(run.history) - 1, run.step
        told.on_epoch_begin(epoch)
        run.set_learning_rate()
        logs = runner.run(batches.stack(first, batches.steps_per_epoch))
        step = first + batches.steps_per_epoch
        entry = run.observe(logs, validate(), step)
        told.on_epoch_end(epoch, logs_of(entry))
        run.save_if_due()
    told.on_train_end(logs_of(run.history[-1]))
    run.finish()
    return TrainingRecord(tuple(run.history), run.best_epoch, run.seconds)


class _Run:
    """State of one training run, in memory and on disk."""

    def __init__(
        self,
        model: keras.Model,
        recipe: TrainingRecipe,
        objective: Objective,
        settings: Mapping[str, Any] | None,
        checkpoint: str | Path | None,
        checkpoint_seconds: float,
        keep_start: bool,
    ) -> None:
        self._model = model
        self._recipe = recipe
        self._objective = objective
        self._settings = settings or {}
        self._keep_start = keep_start
        self._plateau = Plateau.start(recipe)
        self._checkpoint = Checkpoint(checkpoint) if checkpoint else None
        self._interval = checkpoint_seconds
        self._saved_at = self._started_at = time.monotonic()
        self._earlier_seconds = 0.0
        self._best: list[np.ndarray] = []
        self._finished = False
        self.history: list[dict[str, float]] = []
        self.best_epoch = 0

    @property
    def step(self) -> int:
        return int(self.history[-1]["step"])

    @property
    def seconds(self) -> float:
        return self._earlier_seconds + time.monotonic() - self._started_at

    @property
    def over(self) -> bool:
        return (
            self._finished
            or self._plateau.is_over
            or len(self.history) > self._recipe.max_epochs
        )

    def set_learning_rate(self) -> None:
        self._model.optimizer.learning_rate.assign(self._plateau.learning_rate)

    def observe(
        self,
        logs: Mapping[str, float],
        metrics: Mapping[str, float],
        step: int,
    ) -> dict[str, float]:
        entry = {
            "epoch": len(self.history),
            "step": step,
            **logs,
            "learning_rate": self._plateau.learning_rate,
            "seconds": self.seconds,
            **metrics,
        }
        self.history.append(entry)
        error = self._objective.error(metrics)
        if step == 0:
            # Untrained, it must not set the bar for the learning rate.
            if self._keep_start:
                self._plateau.best = error
            is_best = True
        else:
            is_best = self._plateau.observe(error)
        if is_best:
            self.best_epoch = len(self.history) - 1
            self._best = self._model.get_weights()
        _logger.info("%s", entry)
        return entry

    def resume(self) -> bool:
        if self._checkpoint is None or not self._checkpoint.exists():
            return False
        arrays, values = self._checkpoint.load()
        self._check_origin(values.get("origin"))
        self._best = [
            arrays[f"best_{i}"] for i in range(len(self._model.weights))
        ]
        load_state(self._model, arrays)
        self._plateau = Plateau(self._recipe, **values["plateau"])
        self.history = values["history"]
        self.best_epoch = values["best_epoch"]
        self._earlier_seconds = values["seconds"]
        self._finished = values["finished"]
        return True

    def save_if_due(self) -> None:
        if time.monotonic() - self._saved_at >= self._interval:
            self._save()

    def finish(self) -> None:
        self._model.set_weights(self._best)
        if not self._finished:
            self._finished = True
            self._save()

    def _save(self) -> None:
        if self._checkpoint is None:
            return
        arrays = state_arrays(self._model)
        arrays.update(
            (f"best_{i}", value) for i, value in enumerate(self._best)
        )
        self._checkpoint.save(
            arrays,
            {
                "plateau": self._plateau.state(),
                "history": self.history,
                "best_epoch": self.best_epoch,
                "seconds": self.seconds,
                "finished": self._finished,
                "origin": self._origin(),
            },
        )
        self._saved_at = time.monotonic()

    def _origin(self) -> dict[str, Any]:
        """What a run has to share with its checkpoint."""
        origin = {
            **dataclasses.asdict(self._recipe),
            **self._settings,
            "monitor": self._objective.monitor,
            "shapes": [list(v.shape) for v in state_variables(self._model)],
        }
        return dict(json.loads(json.dumps(origin, default=float)))

    def _check_origin(self, saved: dict[str, Any] | None) -> None:
        own = self._origin()
        # Files of earlier versions do not say where they come from, and
        # those after them not that they are of ratings.
        if saved is None or self._checkpoint is None:
            return
        saved = {"monitor": Objective().monitor, **saved}
        if saved == own:
            return
        differ = [k for k in {**saved, **own} if saved.get(k) != own.get(k)]
        raise ValueError(
            "`checkpoint` must be of the same model and settings; delete it "
            "or name another. Received: "
            f"checkpoint={self._checkpoint.path}, which differs in {differ}"
        )
