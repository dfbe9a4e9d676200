"""Running a ranking experiment, from its data to its artifacts."""

import csv
import logging
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_emb.compression import compact
from keras_emb.datasets import Interactions
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.plots import plot_quality, plot_sizes
from keras_emb.experiments.ranking.config import RankingExperimentConfig
from keras_emb.experiments.ranking.plots import plot_search
from keras_emb.experiments.ranking.ranking_bench import RankingBench
from keras_emb.experiments.result import (
    SCHEMA,
    summarize_records,
    validate_result,
)
from keras_emb.experiments.run_folder import RunFolder
from keras_emb.experiments.size_summary import summarize_sizes
from keras_emb.layers import table_features
from keras_emb.presets.provenance import git_commit, package_versions
from keras_emb.presets.saved_vocabularies import save_vocabularies
from keras_emb.serving import export_for_serving

__all__ = ["run_ranking_experiment"]

_logger = logging.getLogger(__name__)


def run_ranking_experiment(
    config: RankingExperimentConfig,
    out: Path,
    *,
    data_dir: str | None = None,
    resume: bool = False,
    reporter: Callable[[str], None] | None = None,
    checkpoint_seconds: float = 20.0,
) -> dict[str, Any]:
    """Runs every method of a ranking experiment and writes its artifacts.

    `out` holds, once complete, what `run_experiment` leaves there;
    `history.csv` is the trace of all searches. Rows keep their order.

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
        bench = RankingBench(
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
    config: RankingExperimentConfig,
    interactions: Interactions,
    bench: RankingBench,
    records: list[dict[str, Any]],
    path: Path,
) -> dict[str, Any]:
    unit = bench.chosen(config.export.method, config.export.share)
    record = next(
        record
        for record in records
        if (record["method"], record["share"], record["seed"])
        == (unit.method, unit.share, unit.seed)
    )
    model, assignment, _ = bench.build(unit)
    started = time.monotonic()
    features = table_features(model)
    sizes = {name: assignment.sizes(name) for name in assignment.tables}
    popularity = {
        name: interactions.popularity[features[name]] for name in sizes
    }
    small, compaction = compact(model, assignment)
    save_vocabularies(path, interactions.vocabularies)
    assignment.save(path / "sizes.npz")
    partial = path / "partial.keras"
    small.save(partial)
    partial.replace(path / "model.keras")
    shutil.rmtree(path / "saved_model", ignore_errors=True)
    version = export_for_serving(small, path / "saved_model")
    result = {
        "schema": SCHEMA,
        "experiment": config.experiment,
        "method": unit.method,
        "backbone": config.backbone.name,
        "dataset": config.dataset.name,
        "split": dict(interactions.split),
        "seed": unit.seed,
        "budget": {
            "share": unit.share,
            "parameters": assignment.num_parameters,
        },
        "metrics": record["metrics"],
        "baselines": summarize_records(records),
        "sizes": summarize_sizes(sizes, popularity),
        "bytes": {
            **compaction.after.as_dict(),
            "artifact_on_disk": sum(
                file.stat().st_size
                for file in version.rglob("*")
                if file.is_file()
            ),
        },
        "seconds": {
            **{
                stage: record["seconds"].get(stage, 0.0)
                for stage in ("pretrain", "search", "retrain", "evaluate")
            },
            "export": time.monotonic() - started,
        },
        "steps": record["steps"],
        "tuning_trials": config.trials,
        "versions": package_versions(),
        "commit": git_commit(),
    }
    validate_result(result)
    _write_history(path / "history.csv", bench)
    _draw(path / "plots", result, sizes, popularity, bench)
    write_json(path / "result.json", result)
    return result


def _write_history(path: Path, bench: RankingBench) -> None:
    columns = (
        "method episode iteration mean_size sparsity reward quality score"
    ).split()
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, columns, extrasaction="ignore")
        writer.writeheader()
        for method, search in bench.searches.items():
            writer.writerows(
                {"method": method, **entry} for entry in search.trace
            )


def _draw(
    folder: Path,
    result: Mapping[str, Any],
    sizes: Mapping[str, np.ndarray],
    popularity: Mapping[str, np.ndarray],
    bench: RankingBench,
) -> None:
    folder.mkdir(exist_ok=True)
    plot_sizes(sizes, popularity, folder / "sizes.png")
    plot_quality(result, folder / "quality.png")
    if bench.searches:
        traces = {
            method: search.trace for method, search in bench.searches.items()
        }
        plot_search(traces, folder / "search.png")
