"""What an ablation is: an experiment, and what is changed in it."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from keras_emb.experiments.configs import (
    METHODS,
    ExperimentConfig,
    YamlConfig,
)

__all__ = ["AblationConfig"]


@dataclasses.dataclass(frozen=True)
class AblationConfig(YamlConfig):
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
