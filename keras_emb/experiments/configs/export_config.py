"""Which model of an experiment becomes its artifact."""

import dataclasses

__all__ = ["ExportConfig"]


@dataclasses.dataclass(frozen=True)
class ExportConfig:
    """Which of the models trained becomes the artifact.

    Args:
        method: One of the experiment's methods.
        share: One of the experiment's shares; without meaning for `"dense"`.
    """

    method: str
    share: float
