"""What a training takes its batches from."""

from typing import Any, Protocol

__all__ = ["Batches"]


class Batches(Protocol):
    """Anything that gives the batches of a range of steps."""

    steps_per_epoch: int

    def stack(self, first_step: int, steps: int) -> Any:
        """Batches as a nest of arrays of shape `(steps, batch, ...)`."""
