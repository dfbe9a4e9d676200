"""Pruning by thresholds that are trained with the tables."""

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, Literal

import keras

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.datasets import Interactions
from keras_emb.layers import (
    BipartiteGraph,
    SoftThresholdEmbedding,
    replace_tables,
)
from keras_emb.layers.rebuild import copy_layer
from keras_emb.search.dnis.selection import searched_tables
from keras_emb.training import PairwiseRecipe, PairwiseTrainer

__all__ = ["PEP"]


class PEP:
    """Searches masks by training thresholds together with the tables.

    Liu et al., "Learnable Embedding Sizes for Recommender Systems", ICLR 2021,
    arXiv 2101.07577, Algorithm 1. Tables and thresholds are trained on the
    ranking loss (see `SoftThresholdEmbedding`) until few enough entries are
    left; these are the mask. Training it anew from the values that the tables
    had before the search is the rest of the method:

        masked = apply_assignment(search.model, masks)
        PairwiseTrainer(masked, graph, recipe).fit(seed, validate)

    One search serves several budgets: each gets the mask of the first check
    at which it is kept.

    >>> import keras_emb
    >>> from keras_emb.datasets import Interactions, synthetic
    >>> from keras_emb.training import PairwiseRecipe
    >>> from keras_emb.zoo import MatrixFactorization
    >>> planted = synthetic(num_users=60, num_items=40, num_ratings=900)
    >>> data = Interactions.from_ratings(planted.ratings, "random")
    >>> backbone = MatrixFactorization.from_sizes(
    ...     users=len(data.vocabularies["user"]),
    ...     items=len(data.vocabularies["item"]),
    ...     embedding_dim=4,
    ... )
    >>> recipe = PairwiseRecipe(learning_rate=0.1, batch_size=256)
    >>> search = keras_emb.PEP([0.5, 0.2], recipe=recipe, max_steps=400)
    >>> masks = search.fit(backbone, data)
    >>> masks.kept_share <= 0.5, search.assign(0.2).kept_share <= 0.2
    (True, True)

    Args:
        budget: Share of the tables' parameters to keep, or bytes; or several.
        recipe: Rates and batch size of the search.
        granularity: What shares a threshold, see `SoftThresholdEmbedding`.
        initial_threshold: First value of the thresholds before the sigmoid.
        weight_decay: What shrinks the rows and raises the thresholds, see
            `SoftThresholdEmbedding`.
        max_steps: Most steps, if not the recipe's.
        check_every: Steps between two counts of the entries left.
        loss: Loss of a positive and a negative score; `BPRLoss` by default.
        seed: Seed of the triplets.

    Raises:
        ValueError: If an argument is out of range.
    """

    def __init__(
        self,
        budget: Budget | float | int | Sequence[Budget | float | int],
        *,
        recipe: PairwiseRecipe | None = None,
        granularity: Literal[
            "global", "dimension", "feature", "feature_dimension"
        ] = "feature_dimension",
        initial_threshold: float = -15.0,
        weight_decay: float = 1.0,
        max_steps: int | None = None,
        check_every: int = 10,
        loss: Any = None,
        seed: int = 0,
    ) -> None:
        budgets = budget if isinstance(budget, Sequence) else [budget]
        if not budgets:
            raise ValueError(
                f"`budget` must hold at least one. Received: budget={budget}"
            )
        if check_every < 1:
            raise ValueError(
                "`check_every` must be at least 1. "
                f"Received: check_every={check_every}"
            )
        recipe = recipe or PairwiseRecipe()
        self.budgets = tuple(Budget.of(one) for one in budgets)
        self.recipe = dataclasses.replace(
            recipe,
            validate_every=check_every,
            max_steps=recipe.max_steps if max_steps is None else max_steps,
        )
        self.thresholds: dict[str, Any] = {
            "granularity": granularity,
            "initial_threshold": initial_threshold,
            "weight_decay": weight_decay,
        }
        # Refuses what is out of range before anything is trained.
        SoftThresholdEmbedding(1, 1, **self.thresholds)
        self.loss = loss
        self.seed = seed
        self._found: dict[Budget, SizeAssignment] = {}

    def fit(
        self,
        backbone: keras.Model,
        interactions: Interactions,
        *,
        on_check: Callable[[int, float], None] | None = None,
    ) -> SizeAssignment:
        """Searches masks for a backbone.

        Afterwards `model` holds a copy of the backbone, with its values from
        before the search; `trace` the step and the share kept of every
        check.

        Args:
            backbone: Built model of users and items; it stays as it is.
            interactions: Training examples.
            on_check: Called with each entry of the trace.

        Returns:
            The mask of the first budget; `assign` has the others.

        Raises:
            ValueError: If the backbone has no table to prune.
            RuntimeError: If a budget is not reached. Those that are can be
                had from `assign`.
        """
        names = set(searched_tables(backbone))
        self.model = copy_layer(backbone)
        self.trace: list[tuple[int, float]] = []
        self._found = {}

        def make(name: str, layer: Any) -> Any:
            if name not in names:
                return layer
            return SoftThresholdEmbedding.from_table(layer, **self.thresholds)

        searched = replace_tables(backbone, make)
        tables = searched_tables(searched)

        def check(entry: dict[str, float]) -> None:
            step = int(entry["step"])
            masks = SizeAssignment.from_masks(
                {name: table.mask() for name, table in tables.items()},
                {
                    "method": "pep",
                    **self.thresholds,
                    "step": step,
                    "seed": self.seed,
                },
            )
            self.trace.append((step, masks.kept_share))
            for budget in self._missing:
                if _fits(masks, budget):
                    self._found[budget] = masks
            if on_check is not None:
                on_check(*self.trace[-1])

        PairwiseTrainer(
            searched,
            BipartiteGraph.from_interactions(interactions),
            self.recipe,
            self.loss,
        ).fit(self.seed, on_validation=check, stop=lambda: not self._missing)
        if self._missing:
            step, share = self.trace[-1]
            raise RuntimeError(
                f"After {step} steps {share:.2%} of the entries are left, too "
                f"many for {self._missing}. Raise `max_steps`, `weight_decay`, "
                "`initial_threshold`, or the learning rate or l2 of `recipe`. "
                f"Received: {self.thresholds}, recipe={self.recipe}"
            )
        return self.assign(self.budgets[0])

    def assign(self, budget: Budget | float | int) -> SizeAssignment:
        """The mask that the search has found for a budget.

        Args:
            budget: One of those that were searched for.

        Raises:
            ValueError: If there is no mask for it.
        """
        found = self._found.get(Budget.of(budget))
        if found is None:
            raise ValueError(
                "`budget` must be one that the search has reached: "
                f"{list(self._found)}. Received: budget={budget}"
            )
        return found

    @property
    def reached(self) -> list[Budget]:
        """The budgets that the search has found a mask for."""
        return list(self._found)

    @property
    def _missing(self) -> list[Budget]:
        return [b for b in self.budgets if b not in self._found]


def _fits(assignment: SizeAssignment, budget: Budget) -> bool:
    if budget.num_bytes is not None:
        return assignment.memory_bytes(budget.precision) <= budget.num_bytes
    most = budget.num_parameters(assignment.dense_parameters)
    return assignment.num_parameters <= most
