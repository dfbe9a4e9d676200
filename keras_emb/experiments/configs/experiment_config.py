"""What an experiment is: everything that decides its outcome."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from keras_emb.experiments.configs.backbone_config import BackboneConfig
from keras_emb.experiments.configs.dataclass_values import from_values
from keras_emb.experiments.configs.dataset_config import DatasetConfig
from keras_emb.experiments.configs.export_config import ExportConfig
from keras_emb.experiments.configs.search_config import SearchConfig
from keras_emb.experiments.configs.yaml_config import YamlConfig
from keras_emb.experiments.trials import check_trial, method_trials
from keras_emb.training.training_recipe import TrainingRecipe

__all__ = ["IMPLICIT_SPLIT", "METHODS", "ExperimentConfig"]

# The split of `keras_emb.datasets.load_implicit`.
IMPLICIT_SPLIT = "implicit_leave_one_out"

METHODS: Mapping[str, str] = {
    "dense": "every row at full width",
    "uniform": "one smaller width for all rows, trained from scratch",
    "truncated_uniform": "dense, aligned, cut to one width, fine-tuned",
    "magnitude": "dense, smallest entries pruned, fine-tuned",
    "magnitude_aligned": "dense, aligned, smallest entries pruned, fine-tuned",
    "power_rule": "width a power of popularity, trained from scratch",
    "random": "best of several random widths by popularity block",
    "autodim": "AutoDim: one size a field by search, trained from scratch",
    "dnis": "DNIS as in the paper: search, merge, prune, fine-tune",
    "dnis_aligned_mask": "DNIS, aligned before pruning to a mask",
    "dnis_aligned_prefix": "DNIS, aligned before cutting each row's end",
}


@dataclasses.dataclass(frozen=True)
class ExperimentConfig(YamlConfig):
    """Everything that decides the outcome of an experiment.

    >>> config = ExperimentConfig.load("demo", ["seeds=[1]"])
    >>> config.seeds
    (1,)
    >>> config.dataset.name
    'synthetic'

    Args:
        experiment: Name of the experiment.
        method: Method the experiment is about: `"dnis"`.
        backbone: Which model.
        dataset: Which ratings.
        recipe: How every method trains.
        task: What is predicted, see `keras_emb.training.OBJECTIVES`.
        alignment_power: Power of the popularity that weighs the rows where
            tables are aligned.
        search: Settings of the search.
        shares: Shares of the dense tables' parameters to keep.
        methods: Names out of `METHODS`.
        seeds: One repetition of everything a seed.
        tuning_trials: Trials that every method may spend on validation.
        tuning_grid: Settings to try, a list of `tuning_trials` mappings by
            method, for methods whose own (`method_trials`) do not suit.
        export: Which model becomes the artifact, at the first seed.

    Raises:
        ValueError: If a value is out of range or names nothing.
    """

    experiment: str
    method: str
    backbone: BackboneConfig
    dataset: DatasetConfig
    shares: tuple[float, ...]
    methods: tuple[str, ...]
    export: ExportConfig
    recipe: TrainingRecipe = dataclasses.field(default_factory=TrainingRecipe)
    search: SearchConfig = dataclasses.field(default_factory=SearchConfig)
    task: Literal["rating", "click", "top_k"] = "rating"
    alignment_power: float = 0.5
    seeds: tuple[int, ...] = (0,)
    tuning_trials: int = 1
    tuning_grid: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.method != "dnis":
            raise ValueError(
                f"`method` must be dnis. Received: method={self.method!r}"
            )
        if (self.task == "top_k") != (self.dataset.split == IMPLICIT_SPLIT):
            raise ValueError(
                f"`dataset.split` must be {IMPLICIT_SPLIT} for the task top_k, "
                f"and for no other. Received: task={self.task}, "
                f"dataset.split={self.dataset.split}"
            )
        for name in ("shares", "methods", "seeds"):
            values = getattr(self, name)
            if not values or len(set(values)) != len(values):
                raise ValueError(
                    f"`{name}` must be a list of different values, at least "
                    f"one. Received: {name}={list(values)}"
                )
        for share in self.shares:
            if not (math.isfinite(share) and 0 < share <= 1):
                raise ValueError(
                    "`shares` must lie above 0 and at most at 1. "
                    f"Received: shares={list(self.shares)}"
                )
        for method in self.methods:
            if method not in METHODS:
                raise ValueError(
                    f"`methods` must be out of {', '.join(METHODS)}. "
                    f"Received: {method!r} in methods"
                )
        if min(self.seeds) < 0:
            raise ValueError(
                "`seeds` must not be negative. "
                f"Received: seeds={list(self.seeds)}"
            )
        if self.tuning_trials < 1:
            raise ValueError(
                "`tuning_trials` must be at least 1. "
                f"Received: tuning_trials={self.tuning_trials}"
            )
        for method, grid in self.tuning_grid.items():
            if (
                method not in METHODS
                or not isinstance(grid, Sequence)
                or len(grid) != self.tuning_trials
            ):
                raise ValueError(
                    "`tuning_grid` must hold, by method, as many settings as "
                    f"there are tuning_trials ({self.tuning_trials}). "
                    f"Received: {method}: {grid}"
                )
            for trial in grid:
                # A search gone wrong would show after hours.
                place = f"tuning_grid.{method}"
                if not isinstance(trial, Mapping):
                    raise ValueError(
                        f"`{place}` must hold mappings. Received: {trial!r}"
                    )
                from_values(
                    SearchConfig, trial.get("search", {}), f"{place}.search"
                )
                check_trial(method, trial)
        if self.export.method not in self.methods:
            raise ValueError(
                "`export.method` must be one of `methods` "
                f"({', '.join(self.methods)}). "
                f"Received: export.method={self.export.method!r}"
            )
        if (
            self.export.method != "dense"
            and self.export.share not in self.shares
        ):
            raise ValueError(
                f"`export.share` must be one of `shares` "
                f"({', '.join(map(str, self.shares))}). "
                f"Received: export.share={self.export.share}"
            )

    def trial(self, method: str, number: int) -> dict[str, Any]:
        """What a method does in one of its trials.

        Args:
            method: Name of a method.
            number: Number of the trial, from 0.
        """
        grid = self.tuning_grid.get(method)
        if grid is None:
            grid = method_trials(method, self.tuning_trials)
        return dict(grid[number])
