"""Running an experiment from its data to its artifacts."""

import csv
import logging
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_emb.datasets import Interactions
from keras_emb.experiments.backbones import row_order
from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.model_artifacts import (
    ModelArtifacts,
    write_model_artifacts,
)
from keras_emb.experiments.plots import (
    plot_alpha,
    plot_pruning,
    plot_quality,
    plot_sizes,
)
from keras_emb.experiments.result import build_result
from keras_emb.experiments.run_folder import RunFolder
from keras_emb.experiments.unit import FROM_SCRATCH, Unit
from keras_emb.experiments.workbench import Workbench
from keras_emb.training import OBJECTIVES, TrainingRecord

__all__ = ["run_experiment"]

_logger = logging.getLogger(__name__)

# More than these are drawn as one.
_MOST_TABLES = 4


def run_experiment(
    config: ExperimentConfig,
    out: Path,
    *,
    data_dir: str | None = None,
    resume: bool = False,
    reporter: Callable[[str], None] | None = None,
    checkpoint_seconds: float = 20.0,
) -> dict[str, Any]:
    """Runs every method of an experiment and writes its artifacts.

    `out` holds, once complete, `config.yaml`, `result.json`, `sizes.npz`,
    `vocabulary/`, `model.keras` (compact), `saved_model/1/`, `history.csv`
    and `plots/`. Rows are in the order of the compact model.

    Args:
        config: The experiment.
        out: Folder to write; `<out>.partial` until it is complete.
        data_dir: Where the data are, see `keras_emb.datasets.load`.
        resume: Whether to continue what stands in `<out>.partial`.
        reporter: Takes lines of news.
        checkpoint_seconds: Least time between two saves of a training.

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
        interactions = load_interactions(config.dataset, data_dir)
        bench = Workbench(
            config,
            interactions,
            folder.work,
            report,
            checkpoint_seconds,
        )
        records = bench.run()
        report("exporting")
        result = _write_artifacts(
            config, interactions, bench, records, folder.path
        )
        folder.finish()
    return result


def _write_artifacts(
    config: ExperimentConfig,
    interactions: Interactions,
    bench: Workbench,
    records: list[dict[str, Any]],
    path: Path,
) -> dict[str, Any]:
    unit = bench.chosen(config.export.method, config.export.share)
    model, assignment, training = bench.build(unit)
    started = time.monotonic()
    artifacts = write_model_artifacts(
        path,
        model,
        assignment,
        vocabularies=interactions.vocabularies,
        popularity=interactions.popularity,
        row_order=row_order(model),
    )
    _write_history(path / "history.csv", _stages(bench, unit, training))
    record = next(
        r
        for r in records
        if (r["method"], r["share"], r["seed"])
        == (unit.method, unit.share, unit.seed)
    )
    seconds = {
        stage: record["seconds"].get(stage, 0.0)
        for stage in ("pretrain", "search", "retrain", "evaluate")
    }
    result = build_result(
        config,
        records,
        artifacts.assignment,
        popularity=artifacts.popularity,
        split=interactions.split,
        num_bytes=artifacts.num_bytes,
        seconds={**seconds, "export": time.monotonic() - started},
    )
    _draw(
        path / "plots",
        result,
        artifacts,
        bench,
        unit,
        OBJECTIVES[config.task].monitor,
    )
    write_json(path / "result.json", result)
    return result


def _stages(
    bench: Workbench, unit: Unit, training: TrainingRecord
) -> dict[str, TrainingRecord]:
    stages = {"retrain": training}
    method = unit.method
    if method == "dense":
        return {"train": training}
    if method == "autodim":
        return {"search": bench.models.autodim(unit.seed).trace, **stages}
    if method not in FROM_SCRATCH:
        stages = {"warm_start": bench.models.dense(unit.seed)[1], **stages}
    if method.startswith("dnis"):
        search = {"search": bench.search_of(unit).trace["search"]}
        stages = {"warm_start": stages["warm_start"], **search, **stages}
    return stages


def _write_history(path: Path, stages: Mapping[str, TrainingRecord]) -> None:
    columns = ["stage"]
    for record in stages.values():
        for entry in record.history:
            columns += [key for key in entry if key not in columns]
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        for stage, record in stages.items():
            writer.writerows(
                {"stage": stage, **entry} for entry in record.history
            )


def _draw(
    folder: Path,
    result: Mapping[str, Any],
    artifacts: ModelArtifacts,
    bench: Workbench,
    unit: Unit,
    monitor: str,
) -> None:
    folder.mkdir(exist_ok=True)
    assignment, popularity = artifacts.assignment, artifacts.popularity
    sizes = {name: assignment.sizes(name) for name in assignment.tables}
    if len(sizes) > _MOST_TABLES:
        sizes = {"all fields": np.concatenate(list(sizes.values()))}
        popularity = {"all fields": np.concatenate(list(popularity.values()))}
    plot_sizes(sizes, popularity, folder / "sizes.png")
    plot_quality(result, folder / "quality.png")
    if unit.method.startswith("dnis"):
        alpha = bench.search_of(unit).alpha
        plot_alpha(
            {f"width {width}": value for width, value in alpha.items()},
            folder / "alpha.png",
        )
    pruned = [
        name
        for name in result["baselines"]
        if name.startswith(("magnitude", "dnis"))
    ]
    if pruned:
        curves = {
            name: _curve(result["baselines"][name].values(), monitor)
            for name in pruned
        }
        dense = result["baselines"]["dense"].values()
        plot_pruning(
            curves,
            folder / "pruning.png",
            dense=_curve(dense, monitor)[1][0],
            metric=monitor,
        )


def _curve(
    cells: Iterable[Mapping[str, Any]], monitor: str
) -> tuple[list[float], list[float]]:
    cells = list(cells)
    return (
        [cell["share"] for cell in cells],
        [cell["mean"]["validation"][monitor] for cell in cells],
    )
