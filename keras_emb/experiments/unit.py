"""The smallest piece of an experiment's work."""

import dataclasses

__all__ = ["FROM_SCRATCH", "Unit"]

# Methods that need no dense model to start from.
FROM_SCRATCH = ("uniform", "power_rule", "random", "autodim")


@dataclasses.dataclass(frozen=True)
class Unit:
    """One model to train and measure.

    Args:
        method: Name of the method.
        share: Share of the tables' parameters to keep.
        seed: Seed of initialisation and batches.
        trial: Index of its settings in `method_trials`.
    """

    method: str
    share: float
    seed: int
    trial: int

    @property
    def name(self) -> str:
        """A name for files."""
        return f"{self.method}_{self.share:g}_seed{self.seed}_{self.trial}"
