"""Configs that are read from YAML and written to it."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

import yaml

from keras_emb.experiments.configs.dataclass_values import (
    from_values,
    to_values,
)
from keras_emb.experiments.configs.experiment_file import read_experiment

__all__ = ["YamlConfig"]


class YamlConfig:
    """Base of the dataclasses that say what an experiment is."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Self:
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
    def load(cls, name: str | Path, overrides: Sequence[str] = ()) -> Self:
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
