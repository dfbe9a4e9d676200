"""Models that go through a stream, one a unit of work."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_emb.compression import SizeAssignment, memory_report
from keras_emb.datasets import InteractionStream, task_labels
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.streams.scores import (
    score_stream,
    weights_by_popularity,
)
from keras_emb.experiments.streams.stream_experiment_config import (
    StreamExperimentConfig,
)
from keras_emb.experiments.streams.stream_unit import StreamUnit
from keras_emb.layers import DenseEmbedding, find_tables
from keras_emb.optimizers import SparseAdam
from keras_emb.search import AutoEmb
from keras_emb.search.autoemb import Regrowth
from keras_emb.training import (
    StreamBatches,
    StreamRecord,
    apply_assignment,
    train_on_stream,
)
from keras_emb.zoo.backbones import BACKBONES

__all__ = ["StreamBench"]

_LOSSES = {
    "binary": "mse",
    "multiclass": "sparse_categorical_crossentropy",
    "rating": "mse",
}
_SEARCHES: Mapping[str, Mapping[str, Any]] = {
    "autoemb": {},
    "darts": {"controller": "logits"},
    "supervised_attention": {"bilevel": False},
}


class StreamBench:
    """Trains and scores the units of one experiment on a stream.

    Every unit's record is kept in the folder, and so are the states of
    unfinished runs: an interrupted experiment goes on where it stood.

    Args:
        config: The experiment.
        stream: Its data.
        folder: Where records and states are kept.
        report: Takes lines of news.
        checkpoint_seconds: Least time between two saves of a run.
    """

    def __init__(
        self,
        config: StreamExperimentConfig,
        stream: InteractionStream,
        folder: Path,
        report: Callable[[str], None],
        checkpoint_seconds: float = 20.0,
    ) -> None:
        self._config = config
        self._stream = stream
        self._folder = folder
        self._report = report
        self._checkpoint_seconds = checkpoint_seconds
        self.num_batches, self.pretrain_batches = config.num_batches(
            len(stream)
        )
        if self.pretrain_batches >= self.num_batches:
            raise ValueError(
                "The stream must be long enough for a test part. Received: "
                f"{len(stream)} interactions in batches of "
                f"{config.batch_size}, pretrain_share={config.pretrain_share}"
            )
        (folder / "units").mkdir(parents=True, exist_ok=True)

    def units(self) -> list[StreamUnit]:
        """All units, in the order in which they are done."""
        config = self._config
        full = config.backbone.embedding_dim
        kinds: list[tuple[str, float]] = []
        for method in config.methods:
            if method == "fixed":
                kinds += [(f"fixed_{w}", w / full) for w in config.widths]
            elif method == "fixed_retrained":
                kinds += [
                    (f"{method}_{w}", w / full) for w in config.equal_widths
                ]
            elif method == "autoemb_hard":
                kinds += [(method, share) for share in config.shares]
            else:
                kinds.append((method, sum(config.dims) / full))
        return [
            StreamUnit(method, task, share, seed)
            for seed in config.seeds
            for task in config.tasks
            for method, share in kinds
        ]

    def run(self) -> list[dict[str, Any]]:
        """Does all units; returns their records."""
        units = self.units()
        records = []
        for number, unit in enumerate(units, 1):
            record = self.record(unit)
            records.append(record)
            test = record["metrics"]["test"]["loss"]
            self._report(
                f"[{number}/{len(units)}] {unit.label} {unit.task} seed "
                f"{unit.seed}: prequential test loss {test:.5f}"
            )
        return records

    def record(self, unit: StreamUnit) -> dict[str, Any]:
        """The figures of one unit, from its file if it has been done."""
        path = self._folder / "units" / f"{unit.name}.json"
        if path.exists():
            return dict(read_json(path))
        model, run, details = self._go(unit)
        labels = self._labels(unit.task)
        rows = len(run.predictions)
        memory = memory_report(getattr(model, "model", model))
        record = {
            "method": unit.method,
            "task": unit.task,
            "share": unit.share,
            "seed": unit.seed,
            **score_stream(
                run.predictions,
                labels[:rows],
                {k: v[:rows] for k, v in self._stream.features.items()},
                unit.task,
                batch_size=self._config.batch_size,
                first_test=self.pretrain_batches * self._config.batch_size,
            ),
            "parameters": memory.values // 4,
            "bytes": memory.as_dict(),
            "seconds": run.seconds,
            "steps": run.steps,
            **details,
        }
        write_json(path, record)
        return record

    def hard(
        self, unit: StreamUnit
    ) -> tuple[keras.Model, SizeAssignment, StreamRecord, AutoEmb]:
        """Fixes AutoEmb's sizes after the pre-training part, and goes on.

        The cut model learns the past once more before it goes on, and its
        rows may be resized while it does.

        Args:
            unit: One of `autoemb_hard`.

        Returns:
            The model at the end of the stream with its sizes masked, these
            sizes, its record over the whole stream (AutoEmb's own before the
            test part), and the search.
        """
        search = self._search(unit, "autoemb")
        search.fit(
            self._backbone(unit),
            self._batches(unit),
            steps=self.pretrain_batches,
            checkpoint_dir=self._state(unit, "soft"),
            checkpoint_seconds=self._checkpoint_seconds,
        )
        assignment = search.assign(unit.share * (1.0 - self._config.reserve))
        model = apply_assignment(search.model, assignment)
        self._compile(model, unit.task)
        regrowth = self._regrowth(unit, search, model)
        after = self._retrain_and_go_on(unit, model, regrowth)
        if regrowth is not None:
            assignment = regrowth.assignment
        record = StreamRecord(
            np.concatenate([search.record.predictions, after.predictions]),
            search.record.steps + after.steps,
            search.record.seconds + after.seconds,
        )
        return model, assignment, record, search

    def _regrowth(
        self, unit: StreamUnit, search: AutoEmb, model: keras.Model
    ) -> Regrowth | None:
        if not self._config.regrow_every:
            return None
        return Regrowth(
            search,
            model,
            self._batches(unit),
            unit.share,
            every=self._config.regrow_every,
            half_life=self._config.regrow_half_life,
        )

    def _retrain_and_go_on(
        self,
        unit: StreamUnit,
        model: keras.Model,
        regrowth: Regrowth | None = None,
    ) -> StreamRecord:
        """Learns the past once more, then goes on; the record of the rest."""
        past = self._learn(
            unit, model, "past", slice(0, self.pretrain_batches), {}
        )
        settings: dict[str, Any] = {}
        if regrowth is not None:
            # Calls are as long as rows go without a resize.
            settings = {
                "steps_per_call": self._config.regrow_every,
                "callbacks": [self._resizing(regrowth)],
            }
        rest = self._learn(
            unit, model, "rest", slice(self.pretrain_batches, None), settings
        )
        return StreamRecord(
            rest.predictions,
            past.steps + rest.steps,
            past.seconds + rest.seconds,
        )

    def _resizing(self, regrowth: Regrowth) -> keras.callbacks.Callback:
        past = self.pretrain_batches
        return keras.callbacks.LambdaCallback(
            on_train_batch_begin=lambda step, logs: regrowth.before(past + step)
        )

    def _learn(
        self,
        unit: StreamUnit,
        model: keras.Model,
        stage: str,
        part: slice,
        settings: Mapping[str, Any],
    ) -> StreamRecord:
        batches, size = self._batches(unit), self._config.batch_size
        rows = slice(part.start * size, part.stop and part.stop * size)
        return train_on_stream(
            model,
            StreamBatches(
                {k: v[rows] for k, v in batches.features.items()},
                batches.label[rows],
                batch_size=size,
            ),
            checkpoint=self._state(unit, f"{unit.label}_{stage}")
            / "stream.npz",
            checkpoint_seconds=self._checkpoint_seconds,
            **settings,
        )

    def _go(
        self, unit: StreamUnit
    ) -> tuple[keras.Model, StreamRecord, dict[str, Any]]:
        if unit.method == "autoemb_hard":
            model, assignment, record, _ = self.hard(unit)
            sizes = {n: assignment.sizes(n) for n in assignment.tables}
            counted = {
                "values": assignment.num_parameters * 4,
                "total": assignment.memory_bytes()
                + memory_report(model).projections,
            }
            histogram = {
                name: np.bincount(of_table).tolist()
                for name, of_table in sizes.items()
            }
            return (
                model,
                record,
                {"compact_bytes": counted, "histogram": histogram},
            )
        if unit.method in _SEARCHES:
            return self._mixed(unit)
        model = self._fixed(unit)
        retrained = unit.method.startswith("fixed_retrained")
        record = train_on_stream(
            model,
            self._batches(unit),
            steps=self.pretrain_batches if retrained else None,
            checkpoint=self._state(unit, unit.label) / "stream.npz",
            checkpoint_seconds=self._checkpoint_seconds,
        )
        if retrained:
            after = self._retrain_and_go_on(unit, model)
            record = StreamRecord(
                np.concatenate([record.predictions, after.predictions]),
                record.steps + after.steps,
                record.seconds + after.seconds,
            )
        return model, record, {}

    def _mixed(
        self, unit: StreamUnit
    ) -> tuple[keras.Model, StreamRecord, dict[str, Any]]:
        search = self._search(unit, unit.method)
        state = self._state(unit, unit.label)
        settings: dict[str, Any] = {
            "checkpoint_seconds": self._checkpoint_seconds
        }
        if unit.method == "autoemb" and not state.exists():
            # The hard method starts from the state at this point.
            soft = self._state(unit, "soft")
            search.train(
                self._backbone(unit),
                self._batches(unit),
                steps=self.pretrain_batches,
                checkpoint_dir=soft,
                **settings,
            )
            shutil.copytree(soft, state)
        record = search.train(
            self._backbone(unit),
            self._batches(unit),
            checkpoint_dir=state,
            **settings,
        )
        details = {
            "weights": {
                name: weights_by_popularity(
                    table.size_weights(), table.counter.counts.numpy()
                )
                for name, table in find_tables(search.soft).items()
            }
        }
        return search.soft, record, details

    def _search(self, unit: StreamUnit, method: str) -> AutoEmb:
        config = self._config
        return AutoEmb(
            1.0,
            dims=config.dims,
            learning_rate=config.learning_rate,
            controller_learning_rate=config.controller_learning_rate,
            controller_options=config.controller,
            importance_power=config.importance_power,
            initializer=self._initializer(),
            loss=_LOSSES[unit.task],
            jit_compile=config.jit_compile,
            seed=unit.seed,
            **_SEARCHES[method],
        )

    def _fixed(self, unit: StreamUnit) -> keras.Model:
        width = (
            sum(self._config.dims)
            if unit.method == "fixed_all_candidates"
            else int(unit.method.rpartition("_")[2])
        )
        model = self._backbone(unit, width)
        self._compile(model, unit.task)
        return model

    def _compile(self, model: keras.Model, task: str) -> None:
        model.compile(
            optimizer=SparseAdam(self._config.learning_rate),
            loss=_LOSSES[task],
        )
        model.optimizer.build(model.trainable_variables)

    def _backbone(
        self, unit: StreamUnit, width: int | None = None
    ) -> keras.Model:
        config = self._config.backbone
        keras.utils.set_random_seed(unit.seed)
        tables = {
            name: DenseEmbedding(
                vocabulary.capacity,
                width or config.embedding_dim,
                self._initializer(),
                name=f"{name}_table",
            )
            for name, vocabulary in self._stream.vocabularies.items()
        }
        backbone: Any = BACKBONES[config.name]
        return backbone(tables, task=unit.task, **config.options)

    def _initializer(self) -> keras.initializers.Initializer:
        return keras.initializers.RandomNormal(
            stddev=self._config.initial_stddev
        )

    def _batches(self, unit: StreamUnit) -> StreamBatches:
        past: Any = self._config.past
        return StreamBatches(
            self._stream.features,
            self._labels(unit.task),
            batch_size=self._config.batch_size,
            past=past,
            seed=unit.seed,
        )

    def _labels(self, task: str) -> np.ndarray:
        return task_labels(self._stream.rating, task)

    def _state(self, unit: StreamUnit, stage: str) -> Path:
        return self._folder / "states" / f"{stage}_{unit.task}_seed{unit.seed}"
