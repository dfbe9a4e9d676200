"""Pretrained models: loaded by name, saved with a card."""

from keras_emb.presets.embedding_size_model import EmbeddingSizeModel

__all__ = ["EmbeddingSizeModel"]
