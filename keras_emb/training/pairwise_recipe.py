"""How a ranking model is trained."""

import dataclasses

from keras_emb.training.check_rules import check_integers, check_rules

__all__ = ["PairwiseRecipe"]

_COUNTS = {
    "decay_steps": 1,
    "batch_size": 1,
    "max_steps": 0,
    "validate_every": 1,
    "patience": 1,
}


@dataclasses.dataclass(frozen=True)
class PairwiseRecipe:
    """Settings of pairwise training, the same for every method compared.

    The defaults are those of CIESS's reference code (arXiv 2304.03501) for
    LightGCN.

    >>> PairwiseRecipe(max_steps=100).batch_size
    10000

    Args:
        learning_rate: First learning rate.
        decay: What the rate is multiplied by every `decay_steps`.
        decay_steps: Steps between two falls of the rate.
        min_learning_rate: The rate falls no further; a smaller first rate
            stays as it is.
        batch_size: Triplets in a step, over all replicas.
        l2: Weight of the squared rows of a batch, see `PairwiseModel`.
        max_steps: Most steps.
        validate_every: Steps between two validations.
        patience: Training stops after this many validations in a row without
            a new best.

    Raises:
        ValueError: If a setting is out of range.
    """

    learning_rate: float = 0.03
    decay: float = 0.9
    decay_steps: int = 200
    min_learning_rate: float = 1e-3
    batch_size: int = 10_000
    l2: float = 1e-4
    max_steps: int = 3000
    validate_every: int = 100
    patience: int = 5

    def __post_init__(self) -> None:
        check_integers(self, _COUNTS)
        for name in _COUNTS:
            # NumPy's own cannot be written down as JSON.
            object.__setattr__(self, name, int(getattr(self, name)))
        check_rules(
            self,
            {
                "learning_rate": (self.learning_rate > 0, "be positive"),
                "decay": (0 < self.decay <= 1, "lie in (0, 1]"),
                "min_learning_rate": (
                    self.min_learning_rate >= 0,
                    "be at least 0",
                ),
                "l2": (self.l2 >= 0, "be at least 0"),
            },
        )
