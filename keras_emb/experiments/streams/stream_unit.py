"""The smallest piece of work of an experiment on a stream."""

import dataclasses

__all__ = ["StreamUnit"]


@dataclasses.dataclass(frozen=True)
class StreamUnit:
    """One model that goes through the stream once.

    Args:
        method: Name of the method, with its width where it has one:
            `"fixed_64"`.
        task: The task.
        share: Share of the full tables' bytes it may take.
        seed: Seed of initialisation and draws.
    """

    method: str
    task: str
    share: float
    seed: int

    @property
    def label(self) -> str:
        """What it is called beside others of its task."""
        if self.method == "autoemb_hard":
            return f"{self.method}_{self.share:g}"
        return self.method

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.label}_{self.task}_seed{self.seed}"
