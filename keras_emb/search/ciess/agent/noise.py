"""Noise on the actors' proposals."""

from typing import Any

import tensorflow as tf

__all__ = ["next_noise"]

_MEAN_REVERSION, _TIME_STEP = 0.15, 0.01


def next_noise(kind: str, scale: float, last: Any, draw: Any) -> Any:
    """Noise of the next step, in coordinates.

    The Ornstein-Uhlenbeck process moves on from the last noise:
    `x + 0.15 (0 - x) dt + scale sqrt(dt) z` with `dt` = 0.01.

    >>> import tensorflow as tf
    >>> last, draw = tf.constant([10.0]), tf.constant([1.0])
    >>> next_noise("ornstein_uhlenbeck", 40.0, last, draw).numpy().round(3)
    array([13.985], dtype=float32)

    Args:
        kind: `"normal"`, `"uniform"` or `"ornstein_uhlenbeck"`.
        scale: Standard deviation, half width or volatility.
        last: Noise of the last step, shape `(batch,)`.
        draw: Uniform draws from [-1, 1) for uniform noise, else standard
            normal ones, shape `(batch,)`.

    Returns:
        Noise of shape `(batch,)`.
    """
    if kind == "ornstein_uhlenbeck":
        drift = -_MEAN_REVERSION * last * _TIME_STEP
        return last + drift + scale * tf.sqrt(_TIME_STEP) * draw
    return scale * draw
