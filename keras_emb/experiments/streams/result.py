"""The result of an experiment on a stream: `result.json`, schema 1."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.compression import SizeAssignment
from keras_emb.experiments.result import (
    assemble_result,
    combine,
    sample_std,
)
from keras_emb.experiments.streams.stream_experiment_config import (
    StreamExperimentConfig,
)
from keras_emb.experiments.streams.stream_unit import StreamUnit

__all__ = ["build_stream_result", "summarize_stream_records"]

Record = Mapping[str, Any]


def summarize_stream_records(records: Iterable[Record]) -> dict[str, Any]:
    """Groups records by method and task and takes means over seeds.

    Args:
        records: One a unit of work.

    Returns:
        Under each method's label, under each task: `share`, `mean` and `std`
        of the metrics (the sample standard deviation; null with one seed),
        and `per_seed`, the records.
    """
    groups: dict[str, dict[str, list[Record]]] = {}
    for record in records:
        unit = StreamUnit(
            record["method"], record["task"], record["share"], record["seed"]
        )
        of_method = groups.setdefault(unit.label, {})
        of_method.setdefault(record["task"], []).append(record)
    return {
        label: {
            task: {
                "share": cell[0]["share"],
                "mean": combine(
                    [record["metrics"] for record in cell],
                    lambda values: float(np.mean(values)),
                ),
                "std": combine(
                    [record["metrics"] for record in cell], sample_std
                ),
                "per_seed": [dict(record) for record in cell],
            }
            for task, cell in of_method.items()
        }
        for label, of_method in groups.items()
    }


def build_stream_result(
    config: StreamExperimentConfig,
    records: Iterable[Record],
    assignment: SizeAssignment,
    *,
    popularity: Mapping[str, npt.ArrayLike],
    order: Mapping[str, Any],
    num_bytes: Mapping[str, int],
    seconds: Mapping[str, float],
) -> dict[str, Any]:
    """Puts an experiment's outcome together.

    Args:
        config: What was run.
        records: One a unit of work.
        assignment: Sizes of the exported model.
        popularity: Occurrences of each row in the whole stream, by table.
        order: Name and arguments of the stream's order.
        num_bytes: Of the exported model.
        seconds: By stage.

    Returns:
        The result: the exported model's figures, and under `baselines` every
        method at every task, over all seeds.
    """
    records = list(records)
    main = next(
        record
        for record in records
        if (record["method"], record["task"], record["share"], record["seed"])
        == (
            "autoemb_hard",
            config.export.task,
            config.export.share,
            config.seeds[0],
        )
    )
    return assemble_result(
        config.experiment,
        config.backbone.name,
        config.stream.name,
        main=main,
        baselines=summarize_stream_records(records),
        assignment=assignment,
        popularity=popularity,
        split={
            **order,
            "pretrain_share": config.pretrain_share,
            "prequential": True,
        },
        num_bytes=num_bytes,
        seconds=seconds,
        steps={"stream": main["steps"]},
        tuning_trials=1,
    )
