"""Which model of an experiment on a stream becomes its artifact."""

import dataclasses

__all__ = ["StreamExportConfig"]


@dataclasses.dataclass(frozen=True)
class StreamExportConfig:
    """Which of the compact models becomes the artifact.

    Args:
        task: One of the experiment's tasks.
        share: One of the experiment's shares.
    """

    task: str
    share: float
