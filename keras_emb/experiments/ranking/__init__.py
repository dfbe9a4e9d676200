"""Experiments on ranking whole catalogues."""

from keras_emb.experiments.ranking.ranking_experiment_config import (
    RANKING_METHODS,
    RankingExperimentConfig,
)
from keras_emb.experiments.ranking.run import run_ranking_experiment

__all__ = [
    "RANKING_METHODS",
    "RankingExperimentConfig",
    "run_ranking_experiment",
]
