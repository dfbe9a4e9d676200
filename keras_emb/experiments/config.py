"""What an experiment is: everything that decides its outcome."""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import yaml

from keras_emb import zoo
from keras_emb.experiments.dataclass_values import from_values, to_values
from keras_emb.experiments.trials import check_trial, method_trials
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
    "experiment_names",
    "read_experiment",
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
class ExperimentConfig:
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

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "ExperimentConfig":
        """Makes a config of plain values, as `to_dict` gives them.

        Args:
            values: Nested mapping.

        Returns:
            The config.

        Raises:
            ValueError: For an unknown or missing key, or a wrong value.
        """
        return from_values(cls, values)

    @classmethod
    def load(
        cls, name: str | Path, overrides: Sequence[str] = ()
    ) -> "ExperimentConfig":
        """Reads an experiment of the zoo, or one's own file.

        Args:
            name: Name of an experiment, or path of a YAML file.
            overrides: `key=value`, dotted keys, values as in YAML.

        Returns:
            The config.

        Raises:
            ValueError: If there is no such experiment, the file is not YAML,
                or a key or value is wrong.
        """
        return cls.from_dict(read_experiment(name, overrides))

    def to_dict(self) -> dict[str, Any]:
        """Returns nested plain values; the inverse of `from_dict`."""
        return to_values(self)

    def to_yaml(self) -> str:
        """Returns the text of a YAML file that `load` reads."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)


def experiment_names() -> list[str]:
    """Names the experiments of the zoo.

    Returns:
        Names that `ExperimentConfig.load` takes, sorted.
    """
    return sorted(path.stem for path in _zoo_folder().glob("*.yaml"))


def read_experiment(
    name: str | Path, overrides: Sequence[str] = ()
) -> dict[str, Any]:
    """Reads the plain values of an experiment of the zoo, or of a file.

    >>> read_experiment("demo", ["seeds=[1]"])["seeds"]
    [1]

    Args:
        name: Name of an experiment, or path of a YAML file.
        overrides: `key=value`, dotted keys, values as in YAML.

    Returns:
        Nested mapping.

    Raises:
        ValueError: If there is no such experiment, the file is not YAML, or
            an override cannot be read.
    """
    path = _experiment_path(str(name))
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(
            f"{path} is not a YAML file: {_one_line(error)}"
        ) from error
    if not isinstance(values, dict):
        raise ValueError(
            f"{path} must hold a mapping of keys to values. "
            f"Received: {type(values).__name__}"
        )
    for override in overrides:
        _override(values, override)
    return values


def _zoo_folder() -> Path:
    return Path(str(zoo.__file__)).parent / "experiments"


def _experiment_path(name: str) -> Path:
    path = Path(name)
    if path.suffix in (".yaml", ".yml"):
        if not path.is_file():
            raise ValueError(f"There is no file {name}.")
        return path
    if name not in experiment_names():
        raise ValueError(
            f"There is no experiment {name!r}, and it is no .yaml file. "
            f"Experiments: {', '.join(experiment_names())}."
        )
    return _zoo_folder() / f"{name}.yaml"


def _override(values: dict[str, Any], override: str) -> None:
    key, equals, text = override.partition("=")
    parts = key.strip().split(".")
    if not equals or not all(parts):
        raise ValueError(
            "An override must read key=value, with dots between nested keys. "
            f"Received: {override!r}"
        )
    try:
        value = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise ValueError(
            f"The value of an override must be YAML: {_one_line(error)}. "
            f"Received: {override!r}"
        ) from error
    inner = values
    for part in parts[:-1]:
        below = inner.setdefault(part, {})
        if not isinstance(below, dict):
            raise ValueError(
                f"`{part}` is no group of keys. Received: {override!r}"
            )
        inner = below
    inner[parts[-1]] = value


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _check(config: Any, place: str, name: str, holds: bool) -> None:
    if not holds:
        raise ValueError(
            f"`{place}.{name}` is out of range. "
            f"Received: {place}.{name}={getattr(config, name)}"
        )
