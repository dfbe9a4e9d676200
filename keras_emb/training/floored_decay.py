"""A learning rate that falls in steps, down to a floor."""

from typing import Any

import keras

__all__ = ["FlooredDecay"]


@keras.saving.register_keras_serializable(package="keras_emb")
class FlooredDecay(keras.optimizers.schedules.LearningRateSchedule):
    """`max(rate * factor^floor(step / every), min(rate, least))`.

    The schedule of CIESS's reference code, where no rate is below `least`.

    >>> schedule = FlooredDecay(0.1, factor=0.5, every=10, least=0.03)
    >>> [round(float(schedule(step)), 3) for step in (0, 9, 10, 50)]
    [0.1, 0.1, 0.05, 0.03]

    Args:
        rate: First learning rate.
        factor: What the rate is multiplied by.
        every: Steps between two multiplications.
        least: The rate falls no further; a smaller first rate stays.
    """

    def __init__(
        self, rate: float, factor: float, every: int, least: float
    ) -> None:
        self.rate = rate
        self.factor = factor
        self.every = every
        self.least = least

    def __call__(self, step: Any) -> Any:
        falls = keras.ops.floor(keras.ops.cast(step, "float32") / self.every)
        factor = keras.ops.power(keras.ops.cast(self.factor, "float32"), falls)
        least = min(self.rate, self.least)
        return keras.ops.maximum(self.rate * factor, least)

    def get_config(self) -> dict[str, Any]:
        return {
            "rate": self.rate,
            "factor": self.factor,
            "every": self.every,
            "least": self.least,
        }
