"""The folder of a run: partial while it runs, renamed when complete."""

import contextlib
import fcntl
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import yaml

__all__ = ["RunConfig", "RunFolder"]

_CONFIG = "config.yaml"
_LOCK = ".lock"
_WORK = "work"
_MISSING = "nothing"


class RunConfig(Protocol):
    """Anything that decides a run's outcome and can be written down."""

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Any:
        """The config of nested plain values."""

    def to_dict(self) -> dict[str, Any]:
        """Nested plain values."""

    def to_yaml(self) -> str:
        """The same as the text of a YAML file."""


class RunFolder:
    """Holds a run's folder while the run writes to it.

    Everything is written to `<out>.partial`; `finish` renames it to `out`, so
    that a folder called `out` is always complete. One process at a time holds
    it: the operating system frees the lock when the process ends, however it
    ends.

    >>> import tempfile
    >>> from keras_emb.experiments.configs import ExperimentConfig
    >>> out = Path(tempfile.mkdtemp()) / "run"
    >>> with RunFolder(out, ExperimentConfig.load("demo")) as folder:
    ...     _ = (folder.path / "notes.txt").write_text("done")
    ...     folder.finish()
    >>> (out / "notes.txt").read_text()
    'done'

    Resuming a run that is complete already is no mistake: `is_complete` is
    then true on entering, and nothing is left to do. A run that ends before
    it has done any work leaves nothing behind.

    Args:
        out: Where the complete run shall stand.
        config: What is run; kept as `config.yaml`.
        resume: Continue what stands in `<out>.partial`, if anything does.

    Raises:
        ValueError: On entering, if `out` stands already or an interrupted
            run does, without `resume`; if it ran another config; or if
            another process holds it.
    """

    def __init__(
        self,
        out: str | os.PathLike[str],
        config: RunConfig,
        *,
        resume: bool = False,
    ) -> None:
        self.out = Path(out)
        self._partial = self.out.with_name(f"{self.out.name}.partial")
        self.is_complete = False
        self._config = config
        self._resume = resume
        self._lock: int | None = None

    def __enter__(self) -> "RunFolder":
        if self._find_complete():
            return self
        self._lock = _take_lock(self._partial)
        try:
            # Another process may have completed it just before.
            if not self._find_complete():
                self._open()
        except BaseException:
            self._release()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._release()

    @property
    def path(self) -> Path:
        """Where the run's files stand now."""
        return self.out if self.is_complete else self._partial

    @property
    def work(self) -> Path:
        """Where what only an interrupted run needs is kept."""
        return self.path / _WORK

    def finish(self) -> None:
        """Gives the folder its final name, and drops what is in `work`."""
        os.rename(self._partial, self.out)
        self.is_complete = True
        with contextlib.suppress(FileNotFoundError):
            (self.out / _LOCK).unlink()
        shutil.rmtree(self.work, ignore_errors=True)

    def _open(self) -> None:
        config = self.path / _CONFIG
        if config.exists():
            if not self._resume:
                raise ValueError(
                    f"An interrupted run stands in {self.path}. Continue it "
                    "with --resume, delete it, or choose another --out."
                )
            _refuse_other_config(config, self._config)
            return
        partial = config.with_suffix(".tmp")
        partial.write_text(self._config.to_yaml(), encoding="utf-8")
        os.replace(partial, config)

    def _find_complete(self) -> bool:
        if not self.out.exists():
            return False
        config = self.out / _CONFIG
        if not self._resume or not config.exists():
            raise ValueError(
                f"{self.out} exists already. Choose another --out, or delete "
                "it."
            )
        _refuse_other_config(config, self._config)
        self.is_complete = True
        # The run may have ended between its last two steps.
        shutil.rmtree(self.work, ignore_errors=True)
        return True

    def _release(self) -> None:
        if self._lock is None:
            return
        if not self.is_complete and not _holds_work(self._partial):
            shutil.rmtree(self._partial, ignore_errors=True)
        os.close(self._lock)
        self._lock = None


def _holds_work(folder: Path) -> bool:
    """Whether anything stands in a folder but what a mistake leaves there."""
    return any(
        file.is_file() and file.name not in (_LOCK, _CONFIG)
        for file in folder.rglob("*")
    )


def _take_lock(folder: Path) -> int:
    while True:
        folder.mkdir(parents=True, exist_ok=True)
        try:
            lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o644)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.read(lock, 32).decode(errors="replace").strip()
            os.close(lock)
            raise ValueError(
                f"Process {holder or 'unknown'} is running in {folder}."
            ) from None
        if _is_file(lock, folder / _LOCK):
            os.ftruncate(lock, 0)
            os.pwrite(lock, str(os.getpid()).encode(), 0)
            return lock
        # The holder renamed the folder between our open and our lock.
        os.close(lock)


def _is_file(descriptor: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(descriptor), os.stat(path))
    except FileNotFoundError:
        return False


def _refuse_other_config(path: Path, config: RunConfig) -> None:
    saved = yaml.safe_load(path.read_text(encoding="utf-8"))
    with contextlib.suppress(ValueError):
        # Keys that were not there yet when the run began have their defaults.
        saved = type(config).from_dict(saved).to_dict()
    before, now = _flat(saved), _flat(config.to_dict())
    for key in sorted({*before, *now}):
        old, new = before.get(key, _MISSING), now.get(key, _MISSING)
        if old != new:
            raise ValueError(
                f"`{key}` is {new} now and was {old} when the run in "
                f"{path.parent} began. Resume with the same settings, or "
                "choose another --out."
            )


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in values.items():
        if isinstance(value, dict) and value:
            flat |= _flat(value, f"{prefix}{key}.")
        else:
            flat[f"{prefix}{key}"] = value
    return flat
