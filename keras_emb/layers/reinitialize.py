"""A model of the same making with fresh weights."""

import keras

from keras_emb.layers.graph_propagation import GraphPropagation
from keras_emb.layers.rebuild import paired_layers, rebuild

__all__ = ["reinitialize"]


def reinitialize(model: keras.Model) -> keras.Model:
    """Makes a model anew, to be trained from scratch.

    >>> import keras
    >>> model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    >>> bool(reinitialize(model).layers[0].kernel == model.layers[0].kernel)
    False

    Args:
        model: A built Keras model; it stays as it is.

    Returns:
        A model of the same configuration and the same graphs, all else
        freshly initialised.
    """
    copy = rebuild(model, {})
    for old, new in paired_layers(model, copy):
        if isinstance(old, GraphPropagation):
            new.assign_graph(old.graph)
    return copy
