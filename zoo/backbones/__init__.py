"""Backbones: Keras models that never know which kind of table they hold."""

from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.lightgcn import LightGCN
from keras_emb.zoo.backbones.matrix_factorization import MatrixFactorization
from keras_emb.zoo.backbones.mlp import MLP
from keras_emb.zoo.backbones.neumf import NeuMF
from keras_emb.zoo.backbones.ngcf import NGCF
from keras_emb.zoo.backbones.streaming_dlrs import StreamingDLRS

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

BACKBONES: dict[str, type[Backbone]] = {
    "lightgcn": LightGCN,
    "matrix_factorization": MatrixFactorization,
    "mlp": MLP,
    "neumf": NeuMF,
    "ngcf": NGCF,
    "streaming_dlrs": StreamingDLRS,
}
