"""Measuring quality."""

from keras_emb.evaluation.predict import Predictor
from keras_emb.evaluation.prequential import (
    mean_by_popularity,
    popularity_before,
    prequential_scores,
    running_mean,
)
from keras_emb.evaluation.rating_metrics import rating_metrics

__all__ = [
    "Predictor",
    "mean_by_popularity",
    "popularity_before",
    "prequential_scores",
    "rating_metrics",
    "running_mean",
]
