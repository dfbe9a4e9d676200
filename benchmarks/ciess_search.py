"""A whole search on an aligned recommender, and how well it ranks sizes.

`python -m benchmarks.ciess_search [EXPERIMENT]` trains the full-size
recommender of an experiment, aligns it, runs the search with every entity,
and measures the time. Then six assignments at each of two budgets are trained
from scratch: the rank correlation of their quality with the search's score,
which trains nothing, says how far that score can be trusted.
"""

import functools
import sys
import time
from typing import NoReturn

import keras
import numpy as np
import scipy.stats

from benchmarks.report import finish
from keras_emb.datasets import Interactions
from keras_emb.experiments.backbones import build_ranking_backbone
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.ranking import RankingExperimentConfig
from keras_emb.search import (
    CIESS,
    BudgetedRandom,
    MixedRandom,
    PowerRule,
    Uniform,
)
from keras_emb.search.ciess import (
    AlignedEvaluator,
    Evaluator,
    SizedRecommender,
)
from keras_emb.training import PairwiseRecipe
from keras_emb.zoo import MatrixFactorization

BUDGETS = (0.1, 0.05)
LIMITS = {
    "movielens_100k": {"minutes": ("<=", 15)},
    "movielens_1m": {"minutes": ("<=", 60)},
}


def rules(share: float) -> list[object]:
    """Six ways to spend a budget."""
    return [
        Uniform(share),
        PowerRule(share, exponent=0.25),
        PowerRule(share, exponent=0.75),
        MixedRandom(share),
        BudgetedRandom(share, seed=0),
        BudgetedRandom(share, seed=1),
    ]


def rank_correlation(
    data: Interactions,
    model: keras.Model,
    recipe: PairwiseRecipe,
    evaluator: Evaluator,
    width: int,
    share: float,
) -> float:
    """Of the search's score with the quality after training from scratch."""
    rows = {name: len(ids) for name, ids in data.vocabularies.items()}
    entities = MatrixFactorization.from_sizes(
        users=rows["user"], items=rows["item"], embedding_dim=width
    )
    recommender = SizedRecommender(model, data, recipe)
    scores, qualities = [], []
    for rule in rules(share):
        assignment = rule.fit(entities, data)  # type: ignore[attr-defined]
        sizes = {side: assignment.sizes(side) for side in rows}
        scores.append(evaluator.evaluate(sizes, seed=0).score)
        recommender.start(sizes, seed=0)
        qualities.append(recommender.train(seed=0).best["quality"])
        print(
            f"{share:g} {type(rule).__name__}: cut {scores[-1]:.4f}, "
            f"trained {qualities[-1]:.4f}",
            flush=True,
        )
    return float(scipy.stats.spearmanr(scores, qualities).statistic)


def main() -> NoReturn:
    """Measures and reports."""
    name = (sys.argv[1:] or ["ciess_lightgcn_movielens_100k"])[0]
    config = RankingExperimentConfig.load(name)
    data = load_interactions(config.dataset)
    rows = {side: len(ids) for side, ids in data.vocabularies.items()}
    width = config.backbone.embedding_dim
    model = build_ranking_backbone(config.backbone, data, seed=0)
    started = time.monotonic()
    recommender = SizedRecommender(model, data, config.recipe)
    recommender.start(recommender.full_sizes)
    recommender.train(0, max_steps=config.pretrain_steps, validated=False)
    pretrained = time.monotonic()
    search = CIESS(
        min(config.shares),
        evaluator=functools.partial(
            AlignedEvaluator,
            recipe=config.recipe,
            alignment_power=config.alignment_power,
        ),
        warm_start_steps=0,
        episodes=config.episodes,
        iterations=config.iterations,
        memory_weight=config.memory_weight,
        td3=config.td3,
    )
    search.explore(recommender.model, data)
    searched = time.monotonic()
    figures = {
        "pretrain_seconds": pretrained - started,
        "search_seconds": searched - pretrained,
        "minutes": (searched - started) / 60,
        "entities": float(np.sum(list(rows.values()))),
        "iterations": float(len(search.record)),
    }
    for share in BUDGETS:
        figures[f"rank_correlation_{share:g}"] = rank_correlation(
            data, model, config.recipe, search.evaluator, width, share
        )
    finish("ciess_search", figures, LIMITS.get(config.dataset.name, {}))


if __name__ == "__main__":
    main()
