"""Settings of the DNIS search in an experiment."""

import dataclasses
from typing import Literal

from keras_emb.training.check_rules import check_rules

__all__ = ["SearchConfig"]


@dataclasses.dataclass(frozen=True)
class SearchConfig:
    """Settings of the DNIS search.

    Args:
        num_blocks: Popularity blocks.
        blocks: `"equal"`: they hold equal counts of rows; `"decades"`: a
            block for every power of ten of the popularity, however many.
        search_epochs: Most epochs of the search.
        selection_learning_rate: Rate of the selection's gradient descent.
        l1: Weight of the selection's absolute sum in the outer loss.
        normalize_gradient: Divide a block's gradient by its mean size.
        hypergradient: `"first_order"` or `"unrolled"`.
        trainable: `"all"` weights train in the search, or the `"tables"`
            only, as in the reference code.
    """

    num_blocks: int = 10
    blocks: Literal["equal", "decades"] = "equal"
    search_epochs: int = 50
    selection_learning_rate: float = 1e-2
    l1: float = 0.0
    normalize_gradient: bool = True
    hypergradient: str = "first_order"
    trainable: str = "all"

    def __post_init__(self) -> None:
        check_rules(
            self,
            {
                "num_blocks": (self.num_blocks >= 1, "be at least 1"),
                "search_epochs": (self.search_epochs >= 0, "be at least 0"),
                "selection_learning_rate": (
                    self.selection_learning_rate > 0,
                    "be positive",
                ),
                "l1": (self.l1 >= 0, "be at least 0"),
            },
            place="search.",
        )
        for name, allowed in (
            ("hypergradient", ("first_order", "unrolled")),
            ("trainable", ("all", "tables")),
        ):
            if getattr(self, name) not in allowed:
                raise ValueError(
                    f"`search.{name}` must be one of {', '.join(allowed)}. "
                    f"Received: search.{name}={getattr(self, name)!r}"
                )
