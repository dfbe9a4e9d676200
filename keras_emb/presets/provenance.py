"""Which code made a result."""

import importlib.metadata
import platform
import subprocess
from pathlib import Path

__all__ = ["git_commit", "package_versions"]

_PACKAGES = ("keras_emb", "tensorflow", "keras", "numpy")


def package_versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that compute."""
    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        versions[package] = importlib.metadata.version(package)
    return versions


def git_commit() -> str | None:
    """Returns the commit this code stands at.

    Returns:
        The commit's name, followed by `-dirty` where files under version
        control differ from it; `None` if the code is not under version
        control.
    """
    here = Path(__file__).resolve()
    # An environment inside of some other project is not that project's code.
    if _git(here.parent, "ls-files", "--error-unmatch", here.name) is None:
        return None
    commit = _git(here.parent, "rev-parse", "HEAD")
    changes = _git(here.parent, "status", "--porcelain", "--untracked-files=no")
    return f"{commit}-dirty" if commit and changes else commit


def _git(folder: Path, *arguments: str) -> str | None:
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *arguments],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return None
    return done.stdout.strip()
