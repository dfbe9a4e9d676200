"""Measuring quality."""

from keras_emb.evaluation.click_metrics import click_metrics
from keras_emb.evaluation.code_ranker import CodeRanker
from keras_emb.evaluation.entity_quality import quality_of_entities
from keras_emb.evaluation.full_ranking import FullRanking
from keras_emb.evaluation.pair_ranker import PairRanker
from keras_emb.evaluation.predict import Predictor
from keras_emb.evaluation.prequential import (
    mean_by_popularity,
    popularity_before,
    prequential_scores,
    running_mean,
)
from keras_emb.evaluation.ranking_metrics import ranking_metrics
from keras_emb.evaluation.ranking_result import RankingResult
from keras_emb.evaluation.rating_metrics import rating_metrics
from keras_emb.evaluation.sampled_ranking import (
    SampledRanking,
    sampled_ranking_metrics,
)

__all__ = [
    "CodeRanker",
    "FullRanking",
    "PairRanker",
    "Predictor",
    "RankingResult",
    "SampledRanking",
    "click_metrics",
    "mean_by_popularity",
    "popularity_before",
    "prequential_scores",
    "quality_of_entities",
    "ranking_metrics",
    "rating_metrics",
    "running_mean",
    "sampled_ranking_metrics",
]
