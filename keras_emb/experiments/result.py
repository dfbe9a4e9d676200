"""The result of an experiment: `result.json`, schema 1."""

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.compression import SizeAssignment
from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.experiments.size_summary import summarize_sizes
from keras_emb.presets.provenance import git_commit, package_versions

__all__ = [
    "SCHEMA",
    "assemble_result",
    "build_result",
    "collect_records",
    "combine",
    "main_metric",
    "merge_results",
    "metric_label",
    "sample_std",
    "validate_record",
    "validate_result",
]

SCHEMA = 1

Record = Mapping[str, Any]

_PARTS = ("validation", "test")
_METRICS: Mapping[str, tuple[str, ...]] = {
    "rating": ("mse", "rmse", "mae"),
    "click": ("logloss", "auc"),
    "top_k": tuple(
        f"{kind}{name}@{cutoff}"
        for kind in ("sampled_", "")
        for name in ("hit_rate", "ndcg", "mrr")
        for cutoff in (1, 5, 10)
    ),
}
_RECORD_BYTES = ("values", "index", "dense_layers", "total")
_BYTES = ("dense", "values", "index", "projections", "artifact_on_disk")
_SECONDS = ("pretrain", "search", "retrain", "evaluate", "export")
_KEYS: Mapping[str, type | tuple[type, ...]] = {
    "schema": int,
    "experiment": str,
    "method": str,
    "backbone": str,
    "dataset": str,
    "split": dict,
    "seed": int,
    "budget": dict,
    "metrics": dict,
    "baselines": dict,
    "sizes": dict,
    "bytes": dict,
    "seconds": dict,
    "steps": dict,
    "tuning_trials": int,
    "versions": dict,
    "commit": (str, type(None)),
}


def build_result(
    config: ExperimentConfig,
    records: Iterable[Record],
    assignment: SizeAssignment,
    *,
    popularity: Mapping[str, npt.ArrayLike],
    split: Mapping[str, Any],
    num_bytes: Mapping[str, int],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Puts an experiment's outcome together.

    Args:
        config: What was run.
        records: One for each unit of work: `method`, `share`, `seed`,
            `metrics` (`validation` and `test`, each with those of the task's
            objective), `parameters`, `bytes` (`values`, `index`,
            `dense_layers`, `total`), `seconds`, `steps`, `trial`.
        assignment: Sizes of the exported model.
        popularity: Occurrences of each row in training, by table.
        split: Name and arguments of the split.
        num_bytes: Of the exported model: `dense`, `values`, `index`,
            `projections`, `artifact_on_disk`, and what else there is to say.
        seconds: `pretrain`, `search`, `retrain`, `evaluate`, `export`.

    Returns:
        The result: the exported model's figures, and under `baselines` every
        method at every share, over all seeds.

    Raises:
        ValueError: If a record is incomplete, or none is of the exported
            method, share and seed.
    """
    records = list(records)
    for record in records:
        validate_record(record, _METRICS[config.task])
    seed = config.seeds[0]
    main = _find(records, config, seed)
    return assemble_result(
        config.experiment,
        config.backbone.name,
        config.dataset.name,
        main=main,
        baselines=summarize_records(records),
        assignment=assignment,
        popularity=popularity,
        split=split,
        num_bytes=num_bytes,
        seconds=seconds,
        steps=main["steps"],
        tuning_trials=config.tuning_trials,
    )


def assemble_result(
    experiment: str,
    backbone: str,
    dataset: str,
    *,
    main: Record,
    baselines: Mapping[str, Any],
    assignment: SizeAssignment,
    popularity: Mapping[str, npt.ArrayLike],
    split: Mapping[str, Any],
    num_bytes: Mapping[str, int],
    seconds: Mapping[str, float],
    steps: Mapping[str, int],
    tuning_trials: int,
) -> dict[str, Any]:
    """Writes down a result in the form that all kinds of experiments share.

    Args:
        experiment: Name of the experiment.
        backbone: Name of the backbone.
        dataset: Name of the data.
        main: The exported model's record.
        baselines: Every method's figures.
        assignment: Sizes of the exported model.
        popularity: Occurrences of each row in training, by table.
        split: Name and arguments of the split.
        num_bytes: Of the exported model.
        seconds: By stage.
        steps: By stage.
        tuning_trials: Trials of each method.

    Raises:
        ValueError: If the result would not follow schema 1.
    """
    sizes = {name: assignment.sizes(name) for name in assignment.tables}
    result = {
        "schema": SCHEMA,
        "experiment": experiment,
        "method": main["method"],
        "backbone": backbone,
        "dataset": dataset,
        "split": dict(split),
        "seed": main["seed"],
        "budget": {
            "share": main["share"],
            "parameters": assignment.num_parameters,
        },
        "metrics": main["metrics"],
        "baselines": dict(baselines),
        "sizes": summarize_sizes(sizes, popularity),
        "bytes": dict(num_bytes),
        "seconds": dict(seconds),
        "steps": dict(steps),
        "tuning_trials": tuning_trials,
        "versions": package_versions(),
        "commit": git_commit(),
    }
    validate_result(result)
    return result


def summarize_records(records: Iterable[Record]) -> dict[str, Any]:
    """Groups records by method and share and takes means over seeds.

    Args:
        records: As for `build_result`.

    Returns:
        Under each method's name, under each share written as text: `share`,
        `mean` and `std` of the metrics, `parameters` and `bytes` (the sample
        standard deviation; null with one seed), and `per_seed`, the records.
    """
    groups: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        of_method = groups.setdefault(record["method"], {})
        of_method.setdefault(f"{record['share']:g}", []).append(record)
    return {
        method: {
            share: _summarize_cell(of_share)
            for share, of_share in sorted(
                of_method.items(), key=lambda item: -float(item[0])
            )
        }
        for method, of_method in groups.items()
    }


def collect_records(result: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Returns the records a result was made of.

    Args:
        result: As `build_result` made it.

    Returns:
        One record for each unit of work.
    """
    return [
        record
        for of_method in result["baselines"].values()
        for cell in of_method.values()
        for record in cell["per_seed"]
    ]


def merge_results(results: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Joins runs of one experiment that share no unit of work.

    Args:
        results: At least one result.

    Returns:
        The first result, with the `baselines` of all.

    Raises:
        ValueError: If the experiments differ, or two runs hold the same unit
            of work.
    """
    if not results:
        raise ValueError("`results` must not be empty. Received: []")
    for result in results:
        validate_result(result)
    for key in ("experiment", "backbone", "dataset", "split", "tuning_trials"):
        values = [result[key] for result in results]
        if any(value != values[0] for value in values):
            raise ValueError(
                f"`{key}` must be the same in all results. Received: {values}"
            )
    records = [record for item in results for record in collect_records(item)]
    units = [(r["method"], r["share"], r["seed"]) for r in records]
    repeated = {unit for unit in units if units.count(unit) > 1}
    if repeated:
        raise ValueError(
            "Results to merge must not repeat a method, share and seed. "
            f"Received: {sorted(repeated)[0]} more than once"
        )
    return {**results[0], "baselines": summarize_records(records)}


def validate_record(
    record: Record, metrics: Sequence[str] = _METRICS["rating"]
) -> None:
    """Checks one record.

    Args:
        record: See `build_result`.
        metrics: Names of the metrics it must have.

    Raises:
        ValueError: Naming what is missing.
    """
    name = "/".join(str(record.get(k)) for k in ("method", "share", "seed"))
    for key in ("method", "share", "seed", "parameters", "trial"):
        _require(record, key, f"record {name}")
    for part in _PARTS:
        found = _require(record, "metrics", f"record {name}")
        for metric in metrics:
            _require(
                _require(found, part, f"record {name}.metrics"),
                metric,
                f"record {name}.metrics.{part}",
            )
    num_bytes = _require(record, "bytes", f"record {name}")
    for key in _RECORD_BYTES:
        _require(num_bytes, key, f"record {name}.bytes")
    for key in ("seconds", "steps"):
        if not isinstance(_require(record, key, f"record {name}"), Mapping):
            raise ValueError(
                f"`{key}` of record {name} must be a mapping. "
                f"Received: {key}={record[key]!r}"
            )


def validate_result(result: Mapping[str, Any]) -> None:
    """Checks that a result follows schema 1.

    Args:
        result: What `result.json` holds.

    Raises:
        ValueError: Naming the first key that is missing or wrong.
    """
    for key, kind in _KEYS.items():
        value = _require(result, key, "result")
        if not isinstance(value, kind) or isinstance(value, bool):
            raise ValueError(
                f"`{key}` of a result is of the wrong type. "
                f"Received: {key}={value!r}"
            )
    if result["schema"] != SCHEMA:
        raise ValueError(
            f"`schema` of a result must be {SCHEMA}. "
            f"Received: schema={result['schema']}"
        )
    for part in _PARTS:
        metrics = _require(result["metrics"], part, "result.metrics")
        for metric, value in metrics.items():
            if not isinstance(value, (int, float)) or not math.isfinite(value):
                raise ValueError(
                    f"`metrics.{part}.{metric}` of a result must be a finite "
                    f"number. Received: {value!r}"
                )
    for group, keys in (
        ("bytes", _BYTES),
        ("seconds", _SECONDS),
        ("sizes", ("mean", "min", "max", "histogram", "by_popularity_decile")),
    ):
        for key in keys:
            _require(result[group], key, f"result.{group}")
    for method, of_method in result["baselines"].items():
        for share, cell in of_method.items():
            for key in ("share", "mean", "std", "per_seed"):
                _require(cell, key, f"result.baselines.{method}.{share}")


def main_metric(result: Mapping[str, Any]) -> tuple[str, bool]:
    """The metric a result is told by, and whether more of it is better.

    >>> main_metric({"metrics": {"test": {"ndcg@5": 0.1, "ndcg@20": 0.2}}})
    ('ndcg@20', True)

    Args:
        result: What `result.json` holds.

    Returns:
        `("mse", False)`, `("auc", True)`, or the NDCG of the longest list
        (among sampled candidates, if there are any) and `True`.
    """
    metrics = result["metrics"]["test"]
    if "auc" in metrics:
        return "auc", True
    lists = [name for name in metrics if name.startswith("sampled_ndcg@")]
    lists = lists or [name for name in metrics if name.startswith("ndcg@")]
    if not lists:
        return "mse", False
    return max(lists, key=lambda name: int(name.partition("@")[2])), True


def metric_label(metric: str) -> str:
    """A metric's name as it is written.

    >>> metric_label("sampled_ndcg@10")
    'sampled NDCG@10'

    Args:
        metric: Its name in a result.
    """
    sampled = "sampled " if metric.startswith("sampled_") else ""
    return sampled + metric.removeprefix("sampled_").upper()


def _require(values: Any, key: str, place: str) -> Any:
    if not isinstance(values, Mapping) or key not in values:
        received = sorted(values) if isinstance(values, Mapping) else values
        raise ValueError(f"`{key}` is missing in {place}. Received: {received}")
    return values[key]


def _find(
    records: Iterable[Record], config: ExperimentConfig, seed: int
) -> Record:
    method, share = config.export.method, config.export.share
    for record in records:
        if (record["method"], record["seed"]) != (method, seed):
            continue
        if method == "dense" or math.isclose(record["share"], share):
            return record
    raise ValueError(
        "`records` must hold the exported model's. Received: none of method "
        f"{method!r}, share {share:g}, seed {seed}"
    )


def _summarize_cell(records: Sequence[Record]) -> dict[str, Any]:
    records = sorted(records, key=lambda record: int(record["seed"]))
    figures = [
        {
            **record["metrics"],
            "parameters": record["parameters"],
            "bytes": record["bytes"],
        }
        for record in records
    ]
    return {
        "share": records[0]["share"],
        "mean": combine(figures, lambda values: float(np.mean(values))),
        "std": combine(figures, sample_std),
        "per_seed": [dict(record) for record in records],
    }


def sample_std(values: Sequence[float]) -> float | None:
    """Sample standard deviation; `None` for a single value.

    >>> sample_std([1.0, 3.0])
    1.4142135623730951
    """
    return float(np.std(values, ddof=1)) if len(values) > 1 else None


def combine(items: Sequence[Any], function: Any) -> Any:
    """Applies a function across nested mappings of one form.

    >>> combine([{"a": {"b": 1}}, {"a": {"b": 2}}], max)
    {'a': {'b': 2}}

    Args:
        items: Mappings that hold numbers, however deep.
        function: From a list of numbers to one.
    """
    first = items[0]
    if isinstance(first, Mapping):
        return {
            key: combine([item[key] for item in items if key in item], function)
            for key in first
        }
    # A figure that was not finite is null once it has been through a file.
    return function([math.nan if item is None else item for item in items])
