"""Sizes of tables: budgets, assignments, and models really that small."""

from keras_emb.compression.align import align, known_usages
from keras_emb.compression.budget import Budget
from keras_emb.compression.compact import CompactionReport, compact
from keras_emb.compression.entry_weights import entry_weights
from keras_emb.compression.memory_report import (
    MemoryReport,
    TableMemory,
    memory_report,
)
from keras_emb.compression.precompute import precompute
from keras_emb.compression.quantize import quantize
from keras_emb.compression.size_assignment import SizeAssignment
from keras_emb.compression.table_sizes import TableSizes
from keras_emb.compression.threshold_assignment import threshold_assignment

__all__ = [
    "Budget",
    "CompactionReport",
    "MemoryReport",
    "SizeAssignment",
    "TableMemory",
    "TableSizes",
    "align",
    "compact",
    "entry_weights",
    "known_usages",
    "memory_report",
    "precompute",
    "quantize",
    "threshold_assignment",
]
