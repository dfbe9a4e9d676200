"""Mixed-size embedding tables for Keras 3 recommenders."""

from keras_emb import datasets, zoo
from keras_emb.bilevel import BilevelModel
from keras_emb.compression import (
    Budget,
    CompactionReport,
    MemoryReport,
    SizeAssignment,
    TableSizes,
    align,
    compact,
    memory_report,
    threshold_assignment,
)
from keras_emb.evaluation import Predictor, rating_metrics
from keras_emb.layers import (
    DenseEmbedding,
    DotProduct,
    IntoDense,
    MaskedEmbedding,
    MixedDimensionEmbedding,
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
from keras_emb.search import (
    CIESS,
    DNIS,
    MagnitudePruning,
    PowerRule,
    RandomBlocks,
    Uniform,
)
from keras_emb.serving import export_for_serving
from keras_emb.training import TrainingRecipe, retrain, train

__all__ = [
    "CIESS",
    "DNIS",
    "BilevelModel",
    "Budget",
    "CompactionReport",
    "DenseEmbedding",
    "DotProduct",
    "IntoDense",
    "MagnitudePruning",
    "MaskedEmbedding",
    "MemoryReport",
    "MixedDimensionEmbedding",
    "PowerRule",
    "Predictor",
    "RandomBlocks",
    "SelectedEmbedding",
    "SharedSpace",
    "SizeAssignment",
    "SoftDimensionSelection",
    "SparseAdam",
    "TableSizes",
    "TrainingRecipe",
    "Uniform",
    "WeightedProduct",
    "align",
    "compact",
    "datasets",
    "deduplicate",
    "export_for_serving",
    "find_tables",
    "gather_rows",
    "memory_report",
    "rating_metrics",
    "replace_tables",
    "retrain",
    "table_features",
    "threshold_assignment",
    "train",
    "zoo",
]
