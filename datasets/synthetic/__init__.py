"""Synthetic data with a known best answer."""

from keras_emb.datasets.synthetic.planted_ratings import PlantedRatings
from keras_emb.datasets.synthetic.synthetic import synthetic

__all__ = ["PlantedRatings", "synthetic"]
