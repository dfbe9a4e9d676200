"""Presets of runs."""

import dataclasses
import os
import shlex
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any, get_args

import numpy as np
import yaml

from keras_emb.compression import (
    MemoryReport,
    memory_report,
    precompute,
    quantize,
)
from keras_emb.experiments.any_experiment import (
    AnyExperimentConfig,
    load_experiment,
)
from keras_emb.experiments.configs import experiment_names
from keras_emb.experiments.ranking import RankingExperimentConfig
from keras_emb.experiments.saved_run import SavedRun
from keras_emb.experiments.streams import StreamExperimentConfig
from keras_emb.presets import EmbeddingSizeModel
from keras_emb.presets.embedding_size_model import Precision
from keras_emb.zoo.presets import preset_folder

__all__ = ["preset_of_run", "rebuild_command"]

_TOLERANCE = 1e-3
_TASKS = {
    "rating": "Means over all ratings of the test part, of a user or item "
    "that training did not know as well.",
    "click": "Logloss, and the area under the ROC curve, over all examples of "
    "the test part, of ids that training did not know as well.",
    "top_k": "The item held out for every user was ranked among all items "
    "that the user had not met, in the figures that say `sampled` among the "
    "user's candidates.",
}
_TAKEN_OVER = (
    "experiment",
    "method",
    "backbone",
    "dataset",
    "split",
    "seed",
    "budget",
    "sizes",
    "tuning_trials",
    "versions",
    "commit",
)


def preset_of_run(
    run: str | os.PathLike[str],
    preset: str | os.PathLike[str],
    data_dir: str | None = None,
) -> EmbeddingSizeModel:
    """Makes a preset of a run's model.

    The model is measured on the test part again. A graph backbone's graph is
    the training interactions, so what is kept of such a model are the vectors
    it was propagated for, see `precompute`.

    Args:
        run: Folder of a complete run.
        preset: Name of the preset in the library, or a folder.
        data_dir: Where the data are, see `keras_emb.datasets.load`.

    Returns:
        The preset.

    Raises:
        ValueError: If the run is incomplete, its model does not measure as
            it did, or something else stands where the preset should.
    """
    saved = SavedRun.load(run)
    name = preset_folder(preset).name
    memory = memory_report(saved.model)
    metadata = {
        **{key: saved.result[key] for key in _TAKEN_OVER},
        "config": saved.config.to_dict(),
        "recorded_seeds": list(saved.config.seeds),
        "command": rebuild_command(saved.config, name),
        "metrics": dict(saved.result["metrics"]),
        "protocol": _protocol(saved.config),
        "dense_twin": _dense_twin(saved, memory),
    }
    if memory.graph:
        saved = dataclasses.replace(saved, model=precompute(saved.model))
        vectors = memory_report(saved.model).values
        metadata["graph_backbone"] = {
            "tables": memory.values + memory.index + memory.projections,
            "graph": memory.graph,
            "vectors": vectors,
        }
    measured = saved.measure(data_dir)
    for metric, value in measured.items():
        recorded = metadata["metrics"].get(saved.measured_part, measured)
        if not np.isclose(value, recorded[metric], rtol=_TOLERANCE, atol=0):
            raise ValueError(
                "A preset must measure as its run did. Received: test "
                f"{metric} of {value:.6f}, which was {recorded[metric]:.6f}"
            )
    metadata["metrics"][saved.measured_part] = measured
    metadata["saved_model"] = _served(saved, measured, data_dir)
    model = EmbeddingSizeModel(
        saved.model, saved.vocabularies, saved.assignment, metadata
    )
    model.save_to_preset(preset_folder(preset))
    return model


def rebuild_command(config: AnyExperimentConfig, preset: str) -> str:
    """The command that runs an experiment again and makes a preset of it.

    >>> config = load_experiment("demo", ["seeds=[1]", "search.l1=0.5"])
    >>> rebuild_command(config, "mine")
    "keras-emb run demo --set search.l1=0.5 --set 'seeds=[1]' --to-preset mine"

    Args:
        config: What was run.
        preset: Name of the preset.

    Returns:
        A line for the shell. An experiment that is not in the zoo is run
        from its file.
    """
    words = ["keras-emb", "run", config.experiment]
    if config.experiment in experiment_names():
        own = load_experiment(config.experiment).to_dict()
        for key, value in _changes(own, config.to_dict()):
            words += ["--set", f"{key}={_as_yaml(value)}"]
    else:
        words[-1] += ".yaml"
    return shlex.join([*words, "--to-preset", preset])


def _protocol(config: Any) -> str:
    """How the figures came about, in words."""
    if isinstance(config, StreamExperimentConfig):
        share = f"{100 * (1 - config.pretrain_share):.0f} %"
        return (
            f"Every batch of {config.batch_size} interactions was predicted "
            f"before it was learnt from; these are means over the last "
            f"{share} of the stream ({config.stream.order}), for the task "
            f"`{config.export.task}`. They come out again only when the "
            "stream is replayed, by the command below. In hindsight the model "
            "of this preset, which stands at the end of the stream and has "
            "learnt from that part since, does as the last column says: that "
            "is what `keras-emb evaluate` finds again."
        )
    seeds = _seeds(config)
    if isinstance(config, RankingExperimentConfig):
        return (
            "For every user with a test item, all items of the catalogue "
            "that the user had not met in training or validation were "
            "ranked, none of them sampled; means over users. " + seeds
        )
    return f"{_TASKS[config.task]} {seeds}"


def _seeds(config: Any) -> str:
    count = len(config.seeds)
    trials = getattr(config, "tuning_trials", None) or config.trials
    tuned = (
        f"Settings were chosen on the validation part, out of {trials} for "
        "each method"
        if trials > 1
        else "Nothing was tuned: each method had one trial"
    )
    run = f"{count} seeds were run" if count > 1 else "one seed was run"
    return f"{tuned}; {run}, and all figures here are of the first."


def _dense_twin(saved: SavedRun, memory: MemoryReport) -> dict[str, Any]:
    """The model with full tables: its bytes, and its figures if it was run."""
    twin: dict[str, Any] = {"bytes": memory.dense}
    config, baselines = saved.config, saved.result["baselines"]
    if isinstance(config, StreamExperimentConfig):
        method, cell = f"fixed_{config.backbone.embedding_dim}", None
        cell = baselines.get(method, {}).get(config.export.task)
    else:
        method = "dense"
        cell = next(iter(baselines.get(method, {}).values()), None)
    if cell is not None:
        first = cell["per_seed"][0]
        twin.update(method=method, metrics=first["metrics"]["test"])
    return twin


def _served(
    saved: SavedRun, measured: Mapping[str, float], data_dir: str | None
) -> dict[str, Any]:
    """Bytes on disk and quality of the SavedModel in every precision."""
    found = {}
    for precision in get_args(Precision):
        if precision == "float32":
            metrics = dict(measured)
        else:
            model = quantize(saved.model, precision)
            changed = dataclasses.replace(saved, model=model)
            metrics = changed.measure(data_dir)
        with tempfile.TemporaryDirectory() as folder:
            version = saved.served.export(folder, precision=precision)
            files = (path for path in version.rglob("*") if path.is_file())
            num_bytes = sum(path.stat().st_size for path in files)
        found[precision] = {"bytes": num_bytes, "metrics": metrics}
    return found


def _as_yaml(value: Any) -> str:
    text = yaml.safe_dump(
        value, default_flow_style=True, width=float("inf")
    ).strip()
    return text.removesuffix("...").strip()


def _changes(
    before: Mapping[str, Any], now: Mapping[str, Any], prefix: str = ""
) -> Iterator[tuple[str, Any]]:
    """Dotted keys and new values of what differs."""
    for key, value in now.items():
        old = before.get(key)
        nested = isinstance(value, dict) and isinstance(old, dict)
        # A key that is gone can only be said by giving the whole.
        if nested and value and set(old or ()) <= set(value):
            yield from _changes(old or {}, value, f"{prefix}{key}.")
        elif value != old:
            yield f"{prefix}{key}", value
