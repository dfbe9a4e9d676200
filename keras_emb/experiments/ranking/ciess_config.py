"""One search by reinforcement learning in an experiment."""

import dataclasses

from keras_emb.search.ciess import Exploration

__all__ = ["CiessConfig"]


@dataclasses.dataclass(frozen=True)
class CiessConfig:
    """One search by reinforcement learning.

    Args:
        evaluator: `"retrain"`: a fresh recommender trained a short while for
            each candidate (paper); `"aligned"`: one trained recommender,
            aligned and cut.
        start: How the chosen sizes are trained: from `"scratch"` (paper), or
            from the `"aligned"` recommender, cut.
        evaluator_steps: Steps of training that a candidate gets.
        num_averaged: See `CIESS`; 0 as in the paper.
        equalize: See `CIESS`.
        exploration: Noise and walk.
    """

    evaluator: str = "aligned"
    start: str = "aligned"
    evaluator_steps: int = 0
    num_averaged: int = 10
    equalize: bool = False
    exploration: Exploration = dataclasses.field(default_factory=Exploration)

    def __post_init__(self) -> None:
        for name, allowed in (
            ("evaluator", ("retrain", "aligned")),
            ("start", ("scratch", "aligned")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`{name}` of a search must be one of "
                    f"{', '.join(allowed)}. "
                    f"Received: {name}={getattr(self, name)!r}"
                )
        if self.equalize and not self.num_averaged:
            raise ValueError(
                "`equalize` of a search needs averages to draw towards one "
                f"size. Received: num_averaged={self.num_averaged}"
            )
        least = 1 if self.evaluator == "retrain" else 0
        if self.evaluator_steps < least:
            raise ValueError(
                f"`evaluator_steps` of the evaluator {self.evaluator} must be "
                f"at least {least}. "
                f"Received: evaluator_steps={self.evaluator_steps}"
            )
