"""What a complete run left behind, or a preset that was made of one."""

import dataclasses
import os
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_emb.compression import SizeAssignment
from keras_emb.datasets import Vocabulary, task_labels
from keras_emb.evaluation import FullRanking, prequential_scores
from keras_emb.experiments.ablations import AblationConfig
from keras_emb.experiments.any_experiment import (
    AnyExperimentConfig,
    load_experiment,
    make_experiment,
)
from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.json_file import read_json
from keras_emb.experiments.ranking import RankingExperimentConfig
from keras_emb.experiments.result import validate_result
from keras_emb.experiments.streams import StreamExperimentConfig
from keras_emb.experiments.streams.open_stream import open_stream
from keras_emb.presets import EmbeddingSizeModel
from keras_emb.presets.saved_vocabularies import load_vocabularies
from keras_emb.training import OBJECTIVES
from keras_emb.zoo.presets import METADATA_FILE, preset_folder

__all__ = ["SavedRun", "refuse_ablation"]

_PRESET_TOLERANCE = 1e-3


@dataclasses.dataclass(frozen=True, eq=False)
class SavedRun:
    """The artifacts of a run, read back.

    Args:
        config: What was run.
        model: The compact model.
        assignment: Its sizes.
        vocabularies: Raw ids of its rows, by feature.
        result: What `result.json` holds; of a preset, its metadata.
        tolerance: Relative difference that `evaluate` lets pass.
    """

    config: AnyExperimentConfig
    model: keras.Model
    assignment: SizeAssignment
    vocabularies: dict[str, Vocabulary]
    result: dict[str, Any]
    tolerance: float = 1e-5

    @classmethod
    def find(cls, name: str | os.PathLike[str]) -> "SavedRun":
        """Reads a run or a preset.

        Args:
            name: Folder of a run, folder of a preset, or name of a preset of
                the library.

        Raises:
            ValueError: If there is neither, or a file is not what it should
                be.
        """
        folders = (Path(name), preset_folder(name))
        if any((folder / METADATA_FILE).is_file() for folder in folders):
            return cls.of_preset(EmbeddingSizeModel.from_preset(name))
        return cls.load(name)

    @classmethod
    def of_preset(cls, preset: EmbeddingSizeModel) -> "SavedRun":
        """The run a preset was made of, as far as the preset knows it.

        Args:
            preset: A preset that an experiment made.

        Raises:
            ValueError: If no experiment made it.
        """
        if "config" not in preset.metadata or preset.sizes is None:
            raise ValueError(
                "A preset to evaluate must be one that an experiment made. "
                f"Received: {preset.metadata.get('name')}"
            )
        return cls(
            config=make_experiment(preset.metadata["config"]),
            model=preset.model,
            assignment=preset.sizes,
            vocabularies=preset.vocabularies,
            result=preset.metadata,
            tolerance=_PRESET_TOLERANCE,
        )

    @property
    def served(self) -> EmbeddingSizeModel:
        """The model with its raw ids."""
        return EmbeddingSizeModel(
            self.model, self.vocabularies, self.assignment
        )

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
        if (folder / "config.yaml").is_file():
            refuse_ablation(load_experiment(folder / "config.yaml"))
        _refuse_incomplete(folder)
        result = read_json(folder / "result.json")
        validate_result(result)
        return cls(
            config=load_experiment(folder / "config.yaml"),
            model=keras.saving.load_model(
                folder / "model.keras", compile=False
            ),
            assignment=SizeAssignment.load(folder / "sizes.npz"),
            vocabularies=load_vocabularies(folder),
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
        if self.measured_part not in self.result["metrics"]:
            raise ValueError(
                "A run to evaluate must have a test part of its own. The "
                "figures of this one were made along the stream, each before "
                "its interaction was learnt from; run it again instead. "
                f"Received: {self.config.experiment}"
            )
        metrics = self.measure(data_dir)
        recorded = self.result["metrics"][self.measured_part]
        for name, value in metrics.items():
            if not np.isclose(
                value, recorded[name], rtol=self.tolerance, atol=0
            ):
                raise ValueError(
                    f"The test {name} is {value:.6f} and was "
                    f"{recorded[name]:.6f}: other data, or another model."
                )
        return metrics

    @property
    def measured_part(self) -> str:
        """Key of the metrics that `measure` finds again."""
        streams = isinstance(self.config, StreamExperimentConfig)
        return "hindsight" if streams else "test"

    def measure(self, data_dir: str | None = None) -> dict[str, float]:
        """Measures the model on the test part.

        Args:
            data_dir: See `evaluate`.

        Returns:
            The metrics; for a model that has learnt from a stream, those in
            hindsight, on a test part it knows by now.

        Raises:
            ValueError: If the data cannot be read, or are other data.
        """
        config = refuse_ablation(self.config)
        if isinstance(config, StreamExperimentConfig):
            return self._hindsight(config, data_dir)
        data = load_interactions(config.dataset, data_dir)
        if isinstance(config, RankingExperimentConfig):
            # Rows keep their order in these runs.
            ranking = FullRanking(data, "test", config.cutoffs)
            return dict(ranking(self.model).metrics)
        return OBJECTIVES[config.task].measure(
            self.model, data.with_vocabularies(self.vocabularies), "test"
        )

    def _hindsight(
        self, config: StreamExperimentConfig, data_dir: str | None
    ) -> dict[str, float]:
        stream = open_stream(config.stream, data_dir)
        last, first = config.num_batches(len(stream))
        part = slice(first * config.batch_size, last * config.batch_size)
        features = {
            feature: _translate(
                rows[part],
                stream.vocabularies[feature].vocabulary(),
                self.vocabularies[feature],
            )
            for feature, rows in stream.features.items()
        }
        task = config.export.task
        loss, correct = prequential_scores(
            self.model.predict(features, batch_size=1 << 16, verbose=0),
            task_labels(stream.rating, task)[part],
            task,
        )
        metrics = {"loss": float(loss.mean())}
        if correct is not None:
            metrics["accuracy"] = float(correct.mean())
        return metrics


def refuse_ablation(
    config: AnyExperimentConfig,
) -> ExperimentConfig | RankingExperimentConfig | StreamExperimentConfig:
    """Makes sure that an experiment ends with a model.

    Args:
        config: The experiment.

    Returns:
        The same.

    Raises:
        ValueError: If it only compares the models of others.
    """
    if isinstance(config, AblationConfig):
        raise ValueError(
            "An experiment to evaluate, export or make a preset of must end "
            "with a model. This one compares others. "
            f"Received: {config.experiment}"
        )
    return config


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


def _translate(rows: Any, data: Vocabulary, model: Vocabulary) -> Any:
    """Maps rows of the data's vocabulary to rows of the model's."""
    by_row = np.zeros(len(data), dtype=np.int32)
    by_row[1:] = model.rows(data.raw_ids)
    return by_row[rows]
