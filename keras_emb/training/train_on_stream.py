"""Training on a stream, each batch scored before it is learnt from."""

import dataclasses
import logging
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_emb.layers import find_tables, table_features, table_rows
from keras_emb.training.callback_list import callback_list
from keras_emb.training.checkpoint import Checkpoint
from keras_emb.training.model_state import load_state, state_arrays
from keras_emb.training.stream_batches import StreamBatches
from keras_emb.training.stream_runner import StreamRunner

__all__ = ["StreamRecord", "train_on_stream"]

_logger = logging.getLogger(__name__)


@dataclasses.dataclass(frozen=True)
class StreamRecord:
    """What happened on a stream.

    Args:
        predictions: Each made before its interaction was learnt from, shape
            `(n, outputs)`, in stream order.
        steps: Batches gone through.
        seconds: Time spent, over all sessions of the run.
    """

    predictions: np.ndarray
    steps: int
    seconds: float


def train_on_stream(
    model: keras.Model,
    batches: StreamBatches,
    *,
    steps: int | None = None,
    steps_per_call: int = 100,
    checkpoint: str | Path | None = None,
    checkpoint_seconds: float = 20.0,
    jit_compile: bool = False,
    callbacks: Sequence[keras.callbacks.Callback] = (),
) -> StreamRecord:
    """Goes through a stream once: score, then learn (prequential).

    AutoEmb (arXiv 2002.11252), streaming: for each batch the outer variables
    of a `BilevelModel` learn from the past, the batch is predicted, the
    inner variables learn from it, and tables that keep count observe its
    ids. Any compiled Keras model runs too, without the outer step. A run
    with a `checkpoint` that was interrupted goes on where it stood and ends
    as it would have ended.

    >>> import numpy as np
    >>> from keras_emb.zoo import StreamingDLRS
    >>> model = StreamingDLRS.from_sizes(users=9, items=9, embedding_dim=2)
    >>> model.compile("sgd", loss="mse")
    >>> ids = {"user": np.arange(8), "item": np.arange(8)}
    >>> record = train_on_stream(
    ...     model, StreamBatches(ids, np.ones(8), batch_size=2)
    ... )
    >>> record.predictions.shape
    (8, 1)

    Args:
        model: Compiled and built.
        batches: The stream.
        steps: Batches to go through, counted from the start of the stream;
            all by default. A later call with more steps goes on.
        steps_per_call: Batches in one traced call.
        checkpoint: File for the state of the run.
        checkpoint_seconds: Least time between two saves.
        jit_compile: Whether XLA compiles the steps.
        callbacks: Keras callbacks, see `callback_list`. The last batch of
            each call is told to them as done, with what the model has
            measured in all of its batches; `stop_training` ends the run
            there, and a later call goes on.

    Returns:
        The record, from the first batch on.

    Raises:
        ValueError: If a number of steps is out of range, an id lies outside
            of its table, a label is not finite, or the checkpoint is that of
            another model.
        FloatingPointError: If a prediction or a loss is no longer finite.
            The last checkpoint stays as it was.
    """
    total = batches.num_batches if steps is None else steps
    if not 1 <= total <= batches.num_batches:
        raise ValueError(
            f"`steps` must lie between 1 and {batches.num_batches}, the "
            f"batches of the stream. Received: steps={steps}"
        )
    if steps_per_call < 1:
        raise ValueError(
            "`steps_per_call` must be at least 1. "
            f"Received: steps_per_call={steps_per_call}"
        )
    if not model.optimizer.built:
        with model.distribute_strategy.scope():
            model.optimizer.build(model.trainable_variables)
    run = _Run(model, checkpoint)
    run.resume()
    runner = StreamRunner(model, jit_compile)
    limits = _limits(model)
    told = callback_list(callbacks, model)
    told.on_train_begin()
    while run.step < total:
        count = 1 if run.step == 0 else min(steps_per_call, total - run.step)
        stack = batches.stack(run.step, count)
        _check(stack, limits, run.step)
        told.on_train_batch_begin(run.step)
        run.add(runner.run(stack, has_past=run.step > 0), count)
        told.on_train_batch_end(run.step - 1, model.get_metrics_result())
        if model.stop_training:
            break
        if run.seconds_unsaved >= checkpoint_seconds:
            run.save()
    run.save()
    told.on_train_end()
    return StreamRecord(np.concatenate(run.predictions), run.step, run.seconds)


def _limits(model: keras.Model) -> dict[str, int]:
    """Rows of the smallest table that reads each feature."""
    backbone = getattr(model, "model", model)
    features = table_features(backbone)
    limits: dict[str, int] = {}
    for name, table in find_tables(backbone).items():
        rows = table_rows(table)
        feature = features[name]
        limits[feature] = min(limits.get(feature, rows), rows)
    return limits


def _check(stack: Any, limits: dict[str, int], first_step: int) -> None:
    inputs, label = stack
    for feature, limit in limits.items():
        ids = inputs["inner"][feature]
        bad = np.argwhere((ids < 0) | (ids >= limit))
        if len(bad):
            step, row = bad[0][:2]
            raise ValueError(
                f"Ids of {feature!r} must lie in 0..{limit - 1}, the rows of "
                f"its table. Received: {ids[step, row]} in row {row} of "
                f"batch {first_step + step}"
            )
    bad = np.argwhere(~np.isfinite(label))
    if len(bad):
        step, row = bad[0][:2]
        raise ValueError(
            f"Labels must be finite. Received: {label[step, row]} in row "
            f"{row} of batch {first_step + step}"
        )


class _Run:
    """State of one run over a stream, in memory and on disk."""

    def __init__(
        self, model: keras.Model, checkpoint: str | Path | None
    ) -> None:
        self._model = model
        self._checkpoint = Checkpoint(checkpoint) if checkpoint else None
        self._started_at = self._saved_at = time.monotonic()
        self._saved_step = self._earlier = 0.0
        self.predictions: list[np.ndarray] = []
        self.step = 0

    @property
    def seconds(self) -> float:
        return self._earlier + time.monotonic() - self._started_at

    @property
    def seconds_unsaved(self) -> float:
        return time.monotonic() - self._saved_at

    def add(self, predictions: np.ndarray, steps: int) -> None:
        self.predictions.append(predictions)
        self.step += steps

    def resume(self) -> None:
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        arrays, values = self._checkpoint.load()
        load_state(self._model, arrays)
        self.predictions = [arrays["predictions"]]
        self.step = self._saved_step = values["step"]
        self._earlier = values["seconds"]
        _logger.info("resumed at batch %d", self.step)

    def save(self) -> None:
        if self._checkpoint is None or self.step == self._saved_step:
            return
        self.predictions = [np.concatenate(self.predictions)]
        self._checkpoint.save(
            {**state_arrays(self._model), "predictions": self.predictions[0]},
            {"step": self.step, "seconds": self.seconds},
        )
        self._saved_at, self._saved_step = time.monotonic(), self.step
