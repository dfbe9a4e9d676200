"""Running an experiment on a stream, from its data to its artifacts."""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from keras_emb.datasets import InteractionStream, count_popularity
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.model_artifacts import (
    ModelArtifacts,
    write_model_artifacts,
)
from keras_emb.experiments.plots import plot_sizes
from keras_emb.experiments.run_folder import RunFolder
from keras_emb.experiments.streams.open_stream import open_stream
from keras_emb.experiments.streams.plots import (
    plot_along,
    plot_by_popularity,
    plot_weights,
)
from keras_emb.experiments.streams.result import build_stream_result
from keras_emb.experiments.streams.stream_bench import StreamBench
from keras_emb.experiments.streams.stream_experiment_config import (
    StreamExperimentConfig,
)
from keras_emb.experiments.streams.stream_unit import StreamUnit

__all__ = ["run_stream_experiment"]

_logger = logging.getLogger(__name__)


def run_stream_experiment(
    config: StreamExperimentConfig,
    out: Path,
    *,
    data_dir: str | None = None,
    resume: bool = False,
    reporter: Callable[[str], None] | None = None,
    checkpoint_seconds: float = 20.0,
) -> dict[str, Any]:
    """Runs every method on a stream and writes its artifacts.

    `out` holds, once complete, what `run_experiment` leaves there. The model
    is AutoEmb's with one size an id, at the end of the stream.

    Args:
        config: The experiment.
        out: Folder to write; `<out>.partial` until it is complete.
        data_dir: Where the data are, see `keras_emb.datasets.load`.
        resume: Whether to continue what stands in `<out>.partial`.
        reporter: Takes lines of news.
        checkpoint_seconds: Least time between two saves of a run.

    Returns:
        What `result.json` holds.

    Raises:
        ValueError: For a user's mistake: data that cannot be read, a folder
            that is taken.
    """
    report = reporter or _logger.info
    with RunFolder(out, config, resume=resume) as folder:
        if folder.is_complete:
            return dict(read_json(folder.path / "result.json"))
        stream = open_stream(config.stream, data_dir)
        bench = StreamBench(
            config,
            stream,
            folder.work,
            report,
            checkpoint_seconds,
        )
        records = bench.run()
        report("exporting")
        result = _write_artifacts(config, stream, bench, records, folder.path)
        folder.finish()
    return result


def _write_artifacts(
    config: StreamExperimentConfig,
    stream: InteractionStream,
    bench: StreamBench,
    records: list[dict[str, Any]],
    path: Path,
) -> dict[str, Any]:
    unit = StreamUnit(
        "autoemb_hard",
        config.export.task,
        config.export.share,
        config.seeds[0],
    )
    model, assignment, record, search = bench.hard(unit)
    started = time.monotonic()
    # Rows that are free for ids to come have no id to be renumbered with.
    full = all(len(v) == v.capacity for v in stream.vocabularies.values())
    artifacts = write_model_artifacts(
        path,
        model,
        assignment,
        vocabularies={
            name: vocabulary.vocabulary()
            for name, vocabulary in stream.vocabularies.items()
        },
        popularity={
            name: count_popularity(rows, stream.vocabularies[name].capacity)
            for name, rows in stream.features.items()
        },
        row_order="fold" if full else "keep",
    )
    search_seconds = search.record.seconds
    result = build_stream_result(
        config,
        records,
        artifacts.assignment,
        popularity=artifacts.popularity,
        order=stream.order,
        num_bytes=artifacts.num_bytes,
        seconds={
            "pretrain": 0.0,
            "search": search_seconds,
            "retrain": record.seconds - search_seconds,
            "evaluate": 0.0,
            "export": time.monotonic() - started,
        },
    )
    _draw(path / "plots", config, result, artifacts)
    write_json(path / "result.json", result)
    return result


def _draw(
    folder: Path,
    config: StreamExperimentConfig,
    result: dict[str, Any],
    artifacts: ModelArtifacts,
) -> None:
    folder.mkdir(exist_ok=True)
    assignment = artifacts.assignment
    sizes = {name: assignment.sizes(name) for name in assignment.tables}
    plot_sizes(sizes, artifacts.popularity, folder / "sizes.png")
    for task in config.tasks:
        plot_along(result, task, folder / f"along_{task}.png")
        metrics = ("loss",) if task == "rating" else ("loss", "accuracy")
        for metric in metrics:
            plot_by_popularity(
                result, task, metric, folder / f"{metric}_{task}.png"
            )
        if "autoemb" in result["baselines"]:
            first = result["baselines"]["autoemb"][task]["per_seed"][0]
            plot_weights(
                first["weights"], config.dims, folder / f"weights_{task}.png"
            )
