"""Backbones, experiments and presets, installed as `keras_emb.zoo`."""

from keras_emb.zoo.backbones import (
    BACKBONES,
    MLP,
    NGCF,
    Backbone,
    LightGCN,
    MatrixFactorization,
    NeuMF,
    StreamingDLRS,
)

__all__ = [
    "BACKBONES",
    "MLP",
    "NGCF",
    "Backbone",
    "LightGCN",
    "MatrixFactorization",
    "NeuMF",
    "StreamingDLRS",
]
