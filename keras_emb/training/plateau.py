"""When to lower the learning rate and when to stop."""

import dataclasses
import math

from keras_emb.training.training_recipe import TrainingRecipe

__all__ = ["Plateau"]


@dataclasses.dataclass
class Plateau:
    """Follows a validation error through the epochs.

    Lowers the rate when the loss has not fallen by `threshold` for more than
    `patience` epochs, as `torch.optim.lr_scheduler.ReduceLROnPlateau` does.

    >>> plateau = Plateau.start(TrainingRecipe(learning_rate=0.1))
    >>> plateau.observe(1.0), plateau.observe(2.0)
    (True, False)
    >>> round(plateau.learning_rate, 3)
    0.01

    Args:
        recipe: The settings.
        learning_rate: Current rate.
        best: Lowest loss so far.
        reference: Loss that the next epoch has to beat by the threshold.
        bad_epochs: Epochs since the rate last fell or the loss last did.
        epochs_since_best: Epochs since `best`.
    """

    recipe: TrainingRecipe
    learning_rate: float
    best: float = float("inf")
    reference: float = float("inf")
    bad_epochs: int = 0
    epochs_since_best: int = 0

    @classmethod
    def start(cls, recipe: TrainingRecipe) -> "Plateau":
        """The state before the first epoch."""
        return cls(recipe, recipe.learning_rate)

    def observe(self, loss: float) -> bool:
        """Takes an epoch's loss; returns whether it is the best so far."""
        is_best = loss < self.best
        self.epochs_since_best = 0 if is_best else self.epochs_since_best + 1
        self.best = min(self.best, loss)
        # A metric to maximise comes negated: better lies farther from zero.
        threshold = math.copysign(self.recipe.threshold, self.reference)
        if loss < self.reference * (1 - threshold):
            self.reference = loss
            self.bad_epochs = 0
            return is_best
        self.bad_epochs += 1
        if self.bad_epochs > self.recipe.patience:
            self.learning_rate *= self.recipe.factor
            self.bad_epochs = 0
        return is_best

    @property
    def is_over(self) -> bool:
        """Whether training should stop."""
        exhausted = self.learning_rate <= self.recipe.min_learning_rate * (
            1 + 1e-9
        )
        return exhausted or self.epochs_since_best >= self.recipe.stop_after

    def state(self) -> dict[str, float]:
        """The state as plain numbers."""
        return {
            "learning_rate": self.learning_rate,
            "best": self.best,
            "reference": self.reference,
            "bad_epochs": self.bad_epochs,
            "epochs_since_best": self.epochs_since_best,
        }
