"""Running a ranking experiment, from its data to its artifacts."""

import csv
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_emb.datasets import Interactions
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.model_artifacts import (
    ModelArtifacts,
    write_model_artifacts,
)
from keras_emb.experiments.plots import plot_quality, plot_sizes
from keras_emb.experiments.ranking.plots import plot_search
from keras_emb.experiments.ranking.ranking_bench import RankingBench
from keras_emb.experiments.ranking.ranking_experiment_config import (
    RankingExperimentConfig,
)
from keras_emb.experiments.result import (
    assemble_result,
    summarize_records,
)
from keras_emb.experiments.run_folder import RunFolder

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
    artifacts = write_model_artifacts(
        path,
        model,
        assignment,
        vocabularies=interactions.vocabularies,
        popularity=interactions.popularity,
        row_order="keep",
    )
    seconds = {
        stage: record["seconds"].get(stage, 0.0)
        for stage in ("pretrain", "search", "retrain", "evaluate")
    }
    result = assemble_result(
        config.experiment,
        config.backbone.name,
        config.dataset.name,
        main=record,
        baselines=summarize_records(records),
        assignment=artifacts.assignment,
        popularity=artifacts.popularity,
        split=interactions.split,
        num_bytes=artifacts.num_bytes,
        seconds={**seconds, "export": time.monotonic() - started},
        steps=record["steps"],
        tuning_trials=config.trials,
    )
    _write_history(path / "history.csv", bench)
    _draw(path / "plots", result, artifacts, bench)
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
    artifacts: ModelArtifacts,
    bench: RankingBench,
) -> None:
    folder.mkdir(exist_ok=True)
    assignment = artifacts.assignment
    sizes = {name: assignment.sizes(name) for name in assignment.tables}
    plot_sizes(sizes, artifacts.popularity, folder / "sizes.png")
    plot_quality(result, folder / "quality.png")
    if bench.searches:
        traces = {
            method: search.trace for method, search in bench.searches.items()
        }
        plot_search(traces, folder / "search.png")
