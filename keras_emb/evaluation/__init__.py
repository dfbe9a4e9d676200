"""Measuring quality."""

from keras_emb.evaluation.predict import Predictor
from keras_emb.evaluation.rating_metrics import rating_metrics

__all__ = ["Predictor", "rating_metrics"]
