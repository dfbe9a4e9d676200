"""How far the agents stray from what their actors propose."""

import dataclasses
from typing import Literal

from keras_emb.training.check_rules import check_integers

__all__ = ["Exploration"]

_SCALES = {"normal": 6.0, "uniform": 11.0, "ornstein_uhlenbeck": 40.0}


@dataclasses.dataclass(frozen=True)
class Exploration:
    """Noise on the actor's proposal, and the walk that starts from it.

    Qu et al., arXiv 2304.03501, Equations 11 to 14 and Table 2. All lengths
    are in coordinates.

    >>> Exploration(noise="uniform").scale
    11.0

    Args:
        noise: `"normal"`, `"uniform"` or `"ornstein_uhlenbeck"` (mean
            reversion 0.15, time step 0.01), drawn for every entity.
        noise_scale: Standard deviation of the normal noise, half width of
            the uniform, volatility of the Ornstein-Uhlenbeck process; by
            default 6, 11 and 40.
        walk_steps: Steps of the random walk; 0 is the search without walk.
        walk_distance: Longest step of the walk.

    Raises:
        ValueError: If an argument is out of range.
    """

    noise: Literal["normal", "uniform", "ornstein_uhlenbeck"] = "normal"
    noise_scale: float | None = None
    walk_steps: int = 5
    walk_distance: int = 5

    def __post_init__(self) -> None:
        if self.noise not in _SCALES:
            raise ValueError(
                f"`noise` must be one of {sorted(_SCALES)}. "
                f"Received: noise={self.noise!r}"
            )
        if self.noise_scale is not None and not self.noise_scale >= 0:
            raise ValueError(
                "`noise_scale` must be None or at least 0. "
                f"Received: noise_scale={self.noise_scale}"
            )
        check_integers(self, {"walk_steps": 0, "walk_distance": 1})

    @property
    def scale(self) -> float:
        """`noise_scale`, or the default of this kind of noise."""
        if self.noise_scale is None:
            return _SCALES[self.noise]
        return self.noise_scale
