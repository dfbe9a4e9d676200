"""Backbones: Keras models that never know which kind of table they hold."""

from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.deepfm import DeepFM
from keras_emb.zoo.backbones.factorization_machine import (
    FactorizationMachine,
)
from keras_emb.zoo.backbones.field_backbone import FieldBackbone
from keras_emb.zoo.backbones.lightgcn import LightGCN
from keras_emb.zoo.backbones.matrix_factorization import MatrixFactorization
from keras_emb.zoo.backbones.mlp import MLP
from keras_emb.zoo.backbones.neumf import NeuMF
from keras_emb.zoo.backbones.ngcf import NGCF
from keras_emb.zoo.backbones.streaming_dlrs import StreamingDLRS
from keras_emb.zoo.backbones.wide_deep import WideDeep

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

BACKBONES: dict[str, type[Backbone]] = {
    "deepfm": DeepFM,
    "factorization_machine": FactorizationMachine,
    "lightgcn": LightGCN,
    "matrix_factorization": MatrixFactorization,
    "mlp": MLP,
    "neumf": NeuMF,
    "ngcf": NGCF,
    "streaming_dlrs": StreamingDLRS,
    "wide_deep": WideDeep,
}
