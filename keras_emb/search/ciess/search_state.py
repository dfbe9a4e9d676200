"""How far a search has come, in memory and on disk."""

import json
from pathlib import Path
from typing import Any

import numpy as np

from keras_emb.search.ciess.candidate import Candidate
from keras_emb.training.checkpoint import Checkpoint

__all__ = ["SearchState"]


class SearchState:
    """Everything an interrupted search needs to go on.

    >>> import tempfile, pathlib, numpy as np
    >>> path = pathlib.Path(tempfile.mkdtemp()) / "search.npz"
    >>> state = SearchState(path, {"seed": 0})
    >>> state.record.append(Candidate({"user": np.array([3])}, 0.5, 0.1))
    >>> state.trace.append({"quality": 0.5, "score": 0.1})
    >>> state.save()
    >>> again = SearchState(path, {"seed": 0})
    >>> again.load()
    >>> again.record[0].sizes["user"].tolist()
    [3]

    Args:
        path: File, or None to keep nothing.
        fingerprint: Settings that must be equal when the file is read.

    Raises:
        ValueError: If the fingerprint cannot be written.
    """

    def __init__(self, path: Path | None, fingerprint: dict[str, Any]) -> None:
        self.fingerprint = fingerprint
        if path is not None:
            try:
                # As it is read again: tuples are lists there.
                self.fingerprint = json.loads(json.dumps(fingerprint))
            except TypeError as error:
                raise ValueError(
                    "`fingerprint` must hold plain values, as it is kept with "
                    f"the checkpoint. Received: {fingerprint}"
                ) from error
        self.record: list[Candidate] = []
        self.trace: list[dict[str, Any]] = []
        self.scores: dict[str, float] = {}
        self.values: dict[str, float] = {}
        self.seconds = 0.0
        self.stopped = False
        self.full_quality: np.ndarray | None = None
        self.agents: dict[str, np.ndarray] = {}
        self.policies: dict[str, np.ndarray] = {}
        self._checkpoint = Checkpoint(path) if path is not None else None

    @property
    def on_disk(self) -> bool:
        """Whether `save` keeps anything."""
        return self._checkpoint is not None

    def save(self) -> None:
        """Writes the file, all of it or nothing."""
        if self._checkpoint is None:
            return
        arrays: dict[str, np.ndarray] = {}
        for name, part in (
            ("agents", self.agents),
            ("policies", self.policies),
        ):
            arrays.update({f"{name}:{k}": v for k, v in part.items()})
        if self.full_quality is not None:
            arrays["full_quality"] = self.full_quality
        if self.record:
            for side in self.record[0].sizes:
                arrays[f"sizes:{side}"] = np.stack(
                    [candidate.sizes[side] for candidate in self.record]
                )
        self._checkpoint.save(
            arrays,
            {
                "fingerprint": self.fingerprint,
                "trace": self.trace,
                "scores": self.scores,
                "values": self.values,
                "seconds": self.seconds,
                "stopped": self.stopped,
            },
        )

    def load(self) -> None:
        """Reads the file, if there is one.

        Raises:
            ValueError: If it is damaged or of another search.
        """
        if self._checkpoint is None or not self._checkpoint.exists():
            return
        arrays, values = self._checkpoint.load()
        found = values["fingerprint"]
        other = [k for k, v in self.fingerprint.items() if v != found.get(k)]
        if other:
            raise ValueError(
                "`checkpoint_dir` must hold the state of the same search; "
                "delete it to search anew. Received: "
                f"{self._checkpoint.path}, which differs in {other}"
            )
        self.full_quality = arrays.get("full_quality")
        self.agents = _part(arrays, "agents")
        self.policies = _part(arrays, "policies")
        self.trace = values["trace"]
        self.scores = values["scores"]
        self.values = values["values"]
        self.seconds = values["seconds"]
        self.stopped = values["stopped"]
        sizes = _part(arrays, "sizes")
        self.record = [
            Candidate(
                {side: rows[step] for side, rows in sizes.items()},
                entry["quality"],
                entry["score"],
            )
            for step, entry in enumerate(self.trace)
        ]


def _part(arrays: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    return {
        key.removeprefix(f"{name}:"): value
        for key, value in arrays.items()
        if key.startswith(f"{name}:")
    }
