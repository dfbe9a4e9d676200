"""What a complete run left behind."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_emb.compression import SizeAssignment
from keras_emb.datasets import Vocabulary
from keras_emb.evaluation import FullRanking
from keras_emb.experiments.ablations import AblationConfig
from keras_emb.experiments.any_experiment import (
    AnyExperimentConfig,
    load_experiment,
)
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.json_file import read_json
from keras_emb.experiments.ranking import RankingExperimentConfig
from keras_emb.experiments.result import validate_result
from keras_emb.experiments.streams import StreamExperimentConfig
from keras_emb.training import OBJECTIVES

__all__ = ["SavedRun"]

_TOLERANCE = 1e-5


@dataclasses.dataclass(frozen=True, eq=False)
class SavedRun:
    """The artifacts of a run, read back.

    Args:
        config: What was run.
        model: The compact model.
        assignment: Its sizes.
        vocabularies: Raw ids of its rows, by feature.
        result: What `result.json` holds.
    """

    config: AnyExperimentConfig
    model: keras.Model
    assignment: SizeAssignment
    vocabularies: dict[str, Vocabulary]
    result: dict[str, Any]

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> "SavedRun":
        """Reads a run.

        Args:
            folder: The `out` of a complete run.

        Returns:
            The run.

        Raises:
            ValueError: If a file is missing or not what it should be.
        """
        folder = Path(folder)
        _refuse_incomplete(folder)
        result = read_json(folder / "result.json")
        validate_result(result)
        return cls(
            config=load_experiment(folder / "config.yaml"),
            model=keras.saving.load_model(
                folder / "model.keras", compile=False
            ),
            assignment=SizeAssignment.load(folder / "sizes.npz"),
            vocabularies={
                path.stem: Vocabulary.load(path)
                for path in sorted((folder / "vocabulary").glob("*.npz"))
            },
            result=result,
        )

    def evaluate(self, data_dir: str | None = None) -> dict[str, float]:
        """Measures the model on the test part again.

        Args:
            data_dir: Where the data are, see `keras_emb.datasets.load`.

        Returns:
            The metrics.

        Raises:
            ValueError: If the data cannot be read, the metrics are not those
                of the result, or they were made along a stream.
        """
        if isinstance(self.config, AblationConfig):
            raise ValueError(
                "A run to evaluate must hold a model. This one compares "
                f"others. Received: {self.config.experiment}"
            )
        if isinstance(self.config, StreamExperimentConfig):
            raise ValueError(
                "A run to evaluate must have a test part of its own. The "
                "figures of this one were made along the stream, each before "
                "its interaction was learnt from; run it again instead. "
                f"Received: {self.config.experiment}"
            )
        data = load_interactions(self.config.dataset, data_dir)
        if isinstance(self.config, RankingExperimentConfig):
            # Rows keep their order in these runs.
            ranking = FullRanking(data, "test", self.config.cutoffs)
            metrics = dict(ranking(self.model).metrics)
        else:
            metrics = OBJECTIVES[self.config.task].measure(
                self.model, data.with_vocabularies(self.vocabularies), "test"
            )
        recorded = self.result["metrics"]["test"]
        for name, value in metrics.items():
            if not np.isclose(value, recorded[name], rtol=_TOLERANCE, atol=0):
                raise ValueError(
                    f"The test {name} is {value:.6f} and was "
                    f"{recorded[name]:.6f} in result.json: other data, or "
                    "another model."
                )
        return metrics


def _refuse_incomplete(folder: Path) -> None:
    if not folder.is_dir():
        partial = folder.with_name(f"{folder.name}.partial")
        hint = (
            f" {partial} is an interrupted run: continue it with --resume."
            if partial.is_dir()
            else ""
        )
        raise ValueError(f"There is no run in {folder}.{hint}")
    for name in ("config.yaml", "result.json", "model.keras", "sizes.npz"):
        if not (folder / name).is_file():
            raise ValueError(
                f"{folder} is not a complete run: {name} is missing."
            )
