"""What an experiment is: everything that decides its outcome."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from keras_emb.experiments.dataclass_values import from_values
from keras_emb.experiments.trials import check_trial, method_trials
from keras_emb.experiments.yaml_config import YamlConfig
from keras_emb.training.training_recipe import TrainingRecipe
from keras_emb.zoo.backbones import BACKBONES

__all__ = [
    "IMPLICIT_SPLIT",
    "METHODS",
    "BackboneConfig",
    "DatasetConfig",
    "ExperimentConfig",
    "ExportConfig",
    "SearchConfig",
]

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
class BackboneConfig:
    """Which model scores a pair.

    Args:
        name: Name of a backbone in `keras_emb.zoo.backbones`.
        embedding_dim: Full width of a row.
        options: Further arguments of the backbone's `from_sizes`.
    """

    name: str
    embedding_dim: int = 64
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        _check(self, "backbone", "embedding_dim", self.embedding_dim >= 1)
        if self.name not in BACKBONES:
            raise ValueError(
                f"`backbone.name` must be one of {', '.join(BACKBONES)}. "
                f"Received: backbone.name={self.name!r}"
            )


@dataclasses.dataclass(frozen=True)
class DatasetConfig:
    """Which ratings, and how they are split.

    Args:
        name: Name of a data set that `keras_emb.datasets.load` knows.
        split: Name of the split.
        shares: Shares of train, validation and test; the split's own if
            `None`.
        seed: Seed of the split. The experiment's seeds do not touch it.
        options: Further arguments of `load`.
    """

    name: str
    split: str = "random"
    shares: tuple[float, ...] | None = None
    seed: int = 0
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Settings of the DNIS search.

    Args:
        num_blocks: Popularity blocks.
        blocks: `"equal"`: they hold equal counts of rows; `"decades"`: a
            block for every power of ten of the popularity, however many.
        search_epochs: Most epochs of the search.
        selection_learning_rate: Rate of the selection's gradient descent.
        l1: Weight of the selection's absolute sum in the outer loss.
        normalize_gradient: Divide a block's gradient by its mean size.
        hypergradient: `"first_order"` or `"unrolled"`.
        trainable: `"all"` weights train in the search, or the `"tables"`
            only, as in the reference code.
    """

    num_blocks: int = 10
    blocks: Literal["equal", "decades"] = "equal"
    search_epochs: int = 50
    selection_learning_rate: float = 1e-2
    l1: float = 0.0
    normalize_gradient: bool = True
    hypergradient: str = "first_order"
    trainable: str = "all"

    def __post_init__(self) -> None:
        _check(self, "search", "num_blocks", self.num_blocks >= 1)
        _check(self, "search", "search_epochs", self.search_epochs >= 0)
        _check(
            self,
            "search",
            "selection_learning_rate",
            self.selection_learning_rate > 0,
        )
        _check(self, "search", "l1", self.l1 >= 0)
        for name, allowed in (
            ("hypergradient", ("first_order", "unrolled")),
            ("trainable", ("all", "tables")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`search.{name}` must be one of {', '.join(allowed)}. "
                    f"Received: search.{name}={getattr(self, name)!r}"
                )


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Which of the models trained becomes the artifact.

    Args:
        method: One of the experiment's methods.
        share: One of the experiment's shares; without meaning for `"dense"`.
    """

    method: str
    share: float


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


def _check(config: Any, place: str, name: str, holds: bool) -> None:
    if not holds:
        raise ValueError(
            f"`{place}.{name}` is out of range. "
            f"Received: {place}.{name}={getattr(config, name)}"
        )
