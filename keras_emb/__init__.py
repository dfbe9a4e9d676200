"""Mixed-size embedding tables for Keras 3 recommenders."""

from keras_emb import datasets, zoo
from keras_emb.bilevel import BilevelModel
from keras_emb.compression import (
    Budget,
    SizeAssignment,
    TableSizes,
    align,
    threshold_assignment,
)
from keras_emb.evaluation import Predictor, rating_metrics
from keras_emb.layers import (
    DenseEmbedding,
    DotProduct,
    IntoDense,
    MaskedEmbedding,
    SelectedEmbedding,
    SharedSpace,
    SoftDimensionSelection,
    WeightedProduct,
    find_tables,
    gather_rows,
    replace_tables,
    table_features,
)
from keras_emb.optimizers import SparseAdam, deduplicate
from keras_emb.search import DNIS
from keras_emb.training import TrainingRecipe, retrain, train

__all__ = [
    "DNIS",
    "BilevelModel",
    "Budget",
    "DenseEmbedding",
    "DotProduct",
    "IntoDense",
    "MaskedEmbedding",
    "Predictor",
    "SelectedEmbedding",
    "SharedSpace",
    "SizeAssignment",
    "SoftDimensionSelection",
    "SparseAdam",
    "TableSizes",
    "TrainingRecipe",
    "WeightedProduct",
    "align",
    "datasets",
    "deduplicate",
    "find_tables",
    "gather_rows",
    "rating_metrics",
    "replace_tables",
    "retrain",
    "table_features",
    "threshold_assignment",
    "train",
    "zoo",
]
