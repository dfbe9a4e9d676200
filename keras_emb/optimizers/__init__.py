"""Optimizers that cost what a batch costs, not what a table costs."""

from keras_emb.optimizers.block_normalized_sgd import (
    BlockNormalizedSGD,
    normalize_blocks,
)
from keras_emb.optimizers.deduplicate import deduplicate
from keras_emb.optimizers.sparse_adam import SparseAdam

__all__ = [
    "BlockNormalizedSGD",
    "SparseAdam",
    "deduplicate",
    "normalize_blocks",
]
