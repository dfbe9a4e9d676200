"""Backbones, experiments and presets, installed as `keras_emb.zoo`."""

from keras_emb.zoo.backbones import (
    BACKBONES,
    MLP,
    NGCF,
    Backbone,
    DeepFM,
    FactorizationMachine,
    FieldBackbone,
    LightGCN,
    MatrixFactorization,
    NeuMF,
    StreamingDLRS,
    WideDeep,
)

__all__ = [
    "BACKBONES",
    "MLP",
    "NGCF",
    "Backbone",
    "DeepFM",
    "FactorizationMachine",
    "FieldBackbone",
    "LightGCN",
    "MatrixFactorization",
    "NeuMF",
    "StreamingDLRS",
    "WideDeep",
]
