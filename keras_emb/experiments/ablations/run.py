"""Running every variant of an experiment and laying them side by side."""

import logging
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from keras_emb.experiments.ablations.ablation_config import AblationConfig
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.plots import plot_quality
from keras_emb.experiments.result import validate_result
from keras_emb.experiments.run import run_experiment
from keras_emb.experiments.run_folder import RunFolder

__all__ = ["run_ablation"]

_logger = logging.getLogger(__name__)


def run_ablation(
    config: AblationConfig,
    out: Path,
    *,
    data_dir: str | None = None,
    resume: bool = False,
    reporter: Callable[[str], None] | None = None,
    checkpoint_seconds: float = 20.0,
) -> dict[str, Any]:
    """Runs an experiment once a variant and compares one method of each.

    `out` holds, once complete, `config.yaml`, `result.json`, whose
    `baselines` are the variants, and `plots/quality.png`.

    Args:
        config: The ablation.
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
        work = folder.work
        results = {}
        for label in config.variants:
            report(f"variant {label}")
            results[label] = run_experiment(
                config.variant(label),
                work / re.sub(r"[^A-Za-z0-9.]+", "_", label),
                data_dir=data_dir,
                resume=True,
                reporter=report,
                checkpoint_seconds=checkpoint_seconds,
            )
        result = _combine(config, results)
        write_json(folder.path / "result.json", result)
        (folder.path / "plots").mkdir(exist_ok=True)
        plot_quality(result, folder.path / "plots" / "quality.png")
        folder.finish()
    return result


def _combine(
    config: AblationConfig, results: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The first variant's result, with all variants as its baselines."""
    first = next(iter(results.values()))
    combined = {
        **first,
        "experiment": config.experiment,
        "baselines": {
            label: {
                share: {
                    **cell,
                    "per_seed": [
                        {**record, "method": label}
                        for record in cell["per_seed"]
                    ],
                }
                for share, cell in result["baselines"][config.compared].items()
            }
            for label, result in results.items()
        },
    }
    validate_result(combined)
    return combined
