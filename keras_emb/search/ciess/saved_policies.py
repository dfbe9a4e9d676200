"""A folder of saved policies, and what is in it."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path

__all__ = ["check_policies", "describe_policies"]

_FILE = "policies.json"


def describe_policies(
    folder: str | Path, sides: Iterable[str], hidden_units: Sequence[int]
) -> None:
    """Writes down what a folder of policies holds.

    >>> import tempfile
    >>> folder = tempfile.mkdtemp()
    >>> describe_policies(folder, ["user"], (256, 256))
    >>> check_policies(folder, ["user"], (256, 256))

    Args:
        folder: Where the policies stand, one below it for each side.
        sides: Names of the sides.
        hidden_units: Widths of the networks' hidden layers.
    """
    content = {"sides": sorted(sides), "hidden_units": list(hidden_units)}
    (Path(folder) / _FILE).write_text(json.dumps(content))


def check_policies(
    folder: str | Path, sides: Iterable[str], hidden_units: Sequence[int]
) -> None:
    """Makes sure that a folder holds policies a search can apply.

    Args:
        folder: The folder.
        sides: Names of the sides there must be.
        hidden_units: Widths the networks must have.

    Raises:
        ValueError: If it does not.
    """
    path = Path(folder) / _FILE
    if not path.is_file():
        raise ValueError(
            "`policies` must be a folder written by `save_policies`. "
            f"Received: policies={folder}"
        )
    content = json.loads(path.read_text())
    missing = sorted(set(sides) - set(content["sides"]))
    if missing:
        raise ValueError(
            f"`policies` must hold one for each side. Received: {folder} with "
            f"{content['sides']}, without {missing}"
        )
    if content["hidden_units"] != list(hidden_units):
        raise ValueError(
            "`policies` must have the `hidden_units` of `td3`, here "
            f"{list(hidden_units)}. Received: {folder} with "
            f"{content['hidden_units']}"
        )
