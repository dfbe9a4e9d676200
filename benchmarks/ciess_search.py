"""A whole search on an aligned recommender, and how well it ranks sizes.

`python -m benchmarks.ciess_search [EXPERIMENT]` trains the full-size
recommender of an experiment, aligns it, runs the search with every entity,
and measures the time. Then twelve assignments at each of two budgets are
trained, from scratch and from the cut tables: the rank correlations of their
qualities with the search's score, which trains nothing, say how far that
score can be trusted.
"""

import functools
import sys
import time
from collections.abc import Mapping
from typing import NoReturn

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
from keras_emb.search.rules.rule import Rule
from keras_emb.zoo import MatrixFactorization

BUDGETS = (0.1, 0.05)
EXPONENTS = (0.25, 0.5, 0.75)
LIMITS = {
    "movielens_100k": {"minutes": ("<=", 15)},
    "movielens_1m": {"minutes": ("<=", 60)},
}


def assignments(
    search: CIESS, data: Interactions, width: int, share: float
) -> dict[str, Mapping[str, np.ndarray]]:
    """Twelve ways to spend a budget, by name."""
    rows = {side: len(ids) for side, ids in data.vocabularies.items()}
    entities = MatrixFactorization.from_sizes(
        users=rows["user"], items=rows["item"], embedding_dim=width
    )
    rules: dict[str, Rule] = {
        "uniform": Uniform(share),
        **{f"power {e}": PowerRule(share, exponent=e) for e in EXPONENTS},
        **{f"mixed {n}": MixedRandom(share, seed=n) for n in range(2)},
        **{f"budgeted {n}": BudgetedRandom(share, seed=n) for n in range(3)},
    }
    found: dict[str, Mapping[str, np.ndarray]] = {}
    for name, rule in rules.items():
        sizes = rule.fit(entities, data)
        found[name] = {side: sizes.sizes(side) for side in rows}
    for number, candidate in enumerate(search.candidates(share)):
        found[f"search {number}"] = candidate.sizes
    return found


def rank_correlations(
    fresh: SizedRecommender,
    evaluator: Evaluator,
    sizes: Mapping[str, Mapping[str, np.ndarray]],
) -> tuple[float, float]:
    """Of the search's score with the quality after two kinds of training.

    Args:
        fresh: What is trained from scratch.
        evaluator: The search's.
        sizes: Sizes by name and side.

    Returns:
        With that from scratch, and with that from the cut tables.
    """
    rows = []
    for name, one in sizes.items():
        score = evaluator.evaluate(one, seed=0).score
        fresh.start(one, seed=0)
        scratch = fresh.train(seed=0).best["quality"]
        rows.append((score, scratch, evaluator.retrain(one, seed=0)))
        print(
            f"{name}: score {rows[-1][0]:.4f}, trained from scratch "
            f"{rows[-1][1]:.4f}, from the cut {rows[-1][2]:.4f}",
            flush=True,
        )
    scores, *qualities = zip(*rows, strict=True)
    scratch, cut = (
        float(scipy.stats.spearmanr(scores, one).statistic) for one in qualities
    )
    return scratch, cut


def main() -> NoReturn:
    """Measures and reports."""
    name = (sys.argv[1:] or ["ciess_lightgcn_movielens_100k"])[0]
    config = RankingExperimentConfig.load(name)
    data = load_interactions(config.dataset)
    rows = {side: len(ids) for side, ids in data.vocabularies.items()}
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
    fresh = SizedRecommender(model, data, config.recipe)
    for share in BUDGETS:
        scratch, cut = rank_correlations(
            fresh,
            search.evaluator,
            assignments(search, data, config.backbone.embedding_dim, share),
        )
        figures[f"rank_correlation_scratch_{share:g}"] = scratch
        figures[f"rank_correlation_cut_{share:g}"] = cut
    finish("ciess_search", figures, LIMITS.get(config.dataset.name, {}))


if __name__ == "__main__":
    main()
