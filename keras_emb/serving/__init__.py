"""Models as others load them."""

from keras_emb.serving.export_for_serving import export_for_serving

__all__ = ["export_for_serving"]
