"""Models as others load them."""

from keras_emb.serving.export_for_serving import export_for_serving
from keras_emb.serving.export_recommender import export_recommender

__all__ = ["export_for_serving", "export_recommender"]
