"""How a model is trained."""

import dataclasses

from keras_emb.training.check_rules import check_rules

__all__ = ["TrainingRecipe"]


@dataclasses.dataclass(frozen=True)
class TrainingRecipe:
    """Settings of a training run, the same for every method compared.

    The defaults are the recipe of the DNIS reference code: Adam, the rate
    divided by ten whenever an epoch brings no improvement on validation,
    stop when the rate has run out or after three such epochs in a row, keep
    the best epoch.

    >>> TrainingRecipe(learning_rate=1e-3).batch_size
    4096

    Args:
        learning_rate: First learning rate.
        batch_size: Examples in a step, over all replicas.
        max_epochs: Most epochs.
        patience: Epochs without improvement that are forgiven before the
            rate falls.
        factor: What the rate is multiplied by when it falls.
        min_learning_rate: Training stops when the rate falls to this.
        stop_after: Training stops after this many epochs in a row without a
            new best.
        threshold: Relative improvement below which an epoch counts as none.

    Raises:
        ValueError: If a setting is out of range.
    """

    learning_rate: float = 1e-3
    batch_size: int = 4096
    max_epochs: int = 100
    patience: int = 0
    factor: float = 0.1
    min_learning_rate: float = 1e-6
    stop_after: int = 3
    threshold: float = 1e-4

    def __post_init__(self) -> None:
        if 0 < self.learning_rate <= self.min_learning_rate:
            raise ValueError(
                "`learning_rate` must lie above `min_learning_rate`, where "
                "training stops. Received: "
                f"learning_rate={self.learning_rate}, "
                f"min_learning_rate={self.min_learning_rate}"
            )
        least = self.min_learning_rate
        check_rules(
            self,
            {
                "learning_rate": (self.learning_rate > 0, "be positive"),
                "batch_size": (self.batch_size >= 1, "be at least 1"),
                "max_epochs": (self.max_epochs >= 0, "be at least 0"),
                "patience": (self.patience >= 0, "be at least 0"),
                "factor": (0 < self.factor < 1, "lie between 0 and 1"),
                "min_learning_rate": (least >= 0, "be at least 0"),
                "stop_after": (self.stop_after >= 1, "be at least 1"),
                "threshold": (self.threshold >= 0, "be at least 0"),
            },
        )
