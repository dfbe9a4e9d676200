"""What an ablation is: an experiment, and what is changed in it."""

import dataclasses
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from keras_emb.experiments.config import (
    METHODS,
    ExperimentConfig,
    read_experiment,
)
from keras_emb.experiments.dataclass_values import from_values, to_values

__all__ = ["AblationConfig"]


@dataclasses.dataclass(frozen=True)
class AblationConfig:
    """Everything that decides the outcome of an ablation.

    Args:
        experiment: Name of the experiment.
        method: `"ablation"`.
        base: The experiment that is varied, by name.
        compared: The method that is compared, out of `METHODS`.
        overrides: What all variants change in `base`: `key=value`.
        variants: What each changes besides, a list of `key=value` by label.
        seeds: One repetition of everything a seed.

    Raises:
        ValueError: If a value names nothing, or a variant is no experiment.
    """

    experiment: str
    method: str
    base: str
    compared: str
    variants: dict[str, Any]
    overrides: tuple[str, ...] = ()
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if self.method != "ablation":
            raise ValueError(
                f"`method` must be ablation. Received: method={self.method!r}"
            )
        if self.compared not in METHODS:
            raise ValueError(
                f"`compared` must be out of {', '.join(METHODS)}. "
                f"Received: compared={self.compared!r}"
            )
        if len(self.variants) < 2 or not all(
            isinstance(changes, Sequence)
            and not isinstance(changes, str)
            and all(isinstance(change, str) for change in changes)
            for changes in self.variants.values()
        ):
            raise ValueError(
                "`variants` must hold two or more lists of key=value, by "
                f"label. Received: variants={self.variants}"
            )
        for label in self.variants:
            self.variant(label)

    def variant(self, label: str) -> ExperimentConfig:
        """The experiment of one variant.

        Args:
            label: A key of `variants`.
        """
        methods = [m for m in ("dense", self.compared) if m != "dense"]
        return ExperimentConfig.load(
            self.base,
            [
                f"methods={['dense', *methods]}",
                f"export.method={self.compared}",
                f"seeds={list(self.seeds)}",
                *self.overrides,
                *self.variants[label],
            ],
        )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "AblationConfig":
        """Makes a config of plain values, as `to_dict` gives them.

        Args:
            values: Nested mapping.

        Raises:
            ValueError: For an unknown or missing key, or a wrong value.
        """
        return from_values(cls, values)

    @classmethod
    def load(
        cls, name: str | Path, overrides: Sequence[str] = ()
    ) -> "AblationConfig":
        """Reads an experiment of the zoo, or one's own file.

        Args:
            name: Name of an experiment, or path of a YAML file.
            overrides: `key=value`, dotted keys, values as in YAML.
        """
        return cls.from_dict(read_experiment(name, overrides))

    def to_dict(self) -> dict[str, Any]:
        """Returns nested plain values; the inverse of `from_dict`."""
        return to_values(self)

    def to_yaml(self) -> str:
        """Returns the text of a YAML file that `load` reads."""
        return yaml.safe_dump(self.to_dict(), sort_keys=False)
