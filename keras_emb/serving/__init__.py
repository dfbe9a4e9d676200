"""Models as others load them."""

from keras_emb.serving.client import Client
from keras_emb.serving.export_for_serving import export_for_serving
from keras_emb.serving.export_litert import export_litert
from keras_emb.serving.export_recommender import export_recommender
from keras_emb.serving.serving_error import ServingError

__all__ = [
    "Client",
    "ServingError",
    "export_for_serving",
    "export_litert",
    "export_recommender",
]
