"""How a model uses its tables, for `keras_emb.compression.align`."""

from keras_emb.layers.usages.dot_product import DotProduct
from keras_emb.layers.usages.into_dense import IntoDense
from keras_emb.layers.usages.shared_space import SharedSpace
from keras_emb.layers.usages.weighted_product import WeightedProduct

__all__ = ["DotProduct", "IntoDense", "SharedSpace", "WeightedProduct"]
