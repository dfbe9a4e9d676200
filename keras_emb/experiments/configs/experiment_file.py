"""The YAML files experiments are written in."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from keras_emb import zoo

__all__ = ["experiment_names", "read_experiment"]


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
