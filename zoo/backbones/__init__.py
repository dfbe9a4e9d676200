"""Backbones: Keras models that never know which kind of table they hold."""

from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.matrix_factorization import MatrixFactorization
from keras_emb.zoo.backbones.mlp import MLP
from keras_emb.zoo.backbones.neumf import NeuMF
from keras_emb.zoo.backbones.streaming_dlrs import StreamingDLRS

__all__ = [
    "BACKBONES",
    "MLP",
    "Backbone",
    "MatrixFactorization",
    "NeuMF",
    "StreamingDLRS",
]

BACKBONES: dict[str, type[Backbone]] = {
    "matrix_factorization": MatrixFactorization,
    "mlp": MLP,
    "neumf": NeuMF,
    "streaming_dlrs": StreamingDLRS,
}
