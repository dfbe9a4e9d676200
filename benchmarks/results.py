"""Writes `benchmarks/results/<experiment>.json` and its picture.

`python -m benchmarks.results <experiment>` runs the experiment, resuming what
stands in `runs/`, and keeps its result: every method at every share, mean and
standard deviation over seeds, the command and the commit. With folders of
complete runs behind the name, it merges those instead.
"""

import argparse
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rich.console import Console

from keras_emb.experiments.any_experiment import (
    load_experiment,
    run_any_experiment,
)
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.plots import plot_quality
from keras_emb.experiments.result import merge_results
from keras_emb.experiments.tables import result_table

RESULTS = Path(__file__).parent / "results"


def write_result(experiment: str, results: list[Mapping[str, Any]]) -> None:
    """Keeps the merged result of an experiment, and draws it."""
    prequential = results[0]["split"].get("prequential", False)
    result = dict(results[0]) if prequential else merge_results(results)
    RESULTS.mkdir(exist_ok=True)
    write_json(
        RESULTS / f"{experiment}.json",
        {**result, "command": f"python -m benchmarks.results {experiment}"},
    )
    if not prequential:
        plot_quality(result, RESULTS / f"{experiment}.png")
    Console().print(result_table(result))


def main() -> None:
    """Runs or reads, merges, writes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("experiment")
    parser.add_argument("runs", nargs="*", type=Path)
    parser.add_argument("--data-dir")
    arguments = parser.parse_args()
    folders = arguments.runs or [Path("runs") / arguments.experiment]
    if not arguments.runs:
        run_any_experiment(
            load_experiment(arguments.experiment),
            folders[0],
            data_dir=arguments.data_dir,
            resume=True,
            reporter=print,
        )
    write_result(
        arguments.experiment,
        [read_json(folder / "result.json") for folder in folders],
    )
    for folder in folders[:1]:
        for source in sorted((folder / "plots").glob("*.png")):
            # The picture of all methods is drawn anew from the merged result.
            if source.stem != "quality":
                target = RESULTS / f"{arguments.experiment}_{source.name}"
                shutil.copyfile(source, target)


if __name__ == "__main__":
    main()
