"""Experiments of every kind, by name."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_emb.experiments.ablations import AblationConfig, run_ablation
from keras_emb.experiments.configs import ExperimentConfig, read_experiment
from keras_emb.experiments.ranking import (
    RankingExperimentConfig,
    run_ranking_experiment,
)
from keras_emb.experiments.run import run_experiment
from keras_emb.experiments.streams import (
    StreamExperimentConfig,
    run_stream_experiment,
)

__all__ = [
    "AnyExperimentConfig",
    "load_experiment",
    "make_experiment",
    "run_any_experiment",
]

AnyExperimentConfig = (
    AblationConfig
    | ExperimentConfig
    | RankingExperimentConfig
    | StreamExperimentConfig
)


def load_experiment(
    name: str | Path, overrides: Sequence[str] = ()
) -> AnyExperimentConfig:
    """Reads an experiment; its `method` says of which kind it is.

    >>> type(load_experiment("demo")).__name__
    'ExperimentConfig'

    Args:
        name: Name of an experiment, or path of a YAML file.
        overrides: `key=value`, dotted keys, values as in YAML.

    Returns:
        The config.

    Raises:
        ValueError: If there is no such experiment, or a key or value is
            wrong.
    """
    return make_experiment(read_experiment(name, overrides))


def make_experiment(values: Mapping[str, Any]) -> AnyExperimentConfig:
    """Makes a config of plain values; its `method` says of which kind.

    Args:
        values: Nested mapping, as the configs' `to_dict` gives them.

    Raises:
        ValueError: If a key or value is wrong.
    """
    if values.get("method") == "ablation":
        return AblationConfig.from_dict(values)
    if values.get("method") == "autoemb":
        return StreamExperimentConfig.from_dict(values)
    if values.get("method") == "ciess":
        return RankingExperimentConfig.from_dict(values)
    return ExperimentConfig.from_dict(values)


def run_any_experiment(
    config: AnyExperimentConfig,
    out: Path,
    **arguments: Any,
) -> dict[str, Any]:
    """Runs an experiment of any kind.

    Args:
        config: The experiment.
        out: Folder to write.
        **arguments: As `run_experiment` takes them.

    Returns:
        What `result.json` holds.
    """
    if isinstance(config, AblationConfig):
        return run_ablation(config, out, **arguments)
    if isinstance(config, StreamExperimentConfig):
        return run_stream_experiment(config, out, **arguments)
    if isinstance(config, RankingExperimentConfig):
        return run_ranking_experiment(config, out, **arguments)
    return run_experiment(config, out, **arguments)
