"""Tables, selections, and what finds and swaps them."""

from keras_emb.layers.bipartite_graph import BipartiteGraph
from keras_emb.layers.dense_embedding import DenseEmbedding, table_values
from keras_emb.layers.field_offsets import FieldOffsets
from keras_emb.layers.field_pooling import FieldPooling
from keras_emb.layers.field_size_embedding import FieldSizeEmbedding
from keras_emb.layers.find_tables import (
    find_tables,
    table_features,
    table_rows,
)
from keras_emb.layers.gather_rows import gather_rows
from keras_emb.layers.graph_propagation import GraphPropagation
from keras_emb.layers.gumbel_selection import GumbelSelection
from keras_emb.layers.masked_embedding import MaskedEmbedding
from keras_emb.layers.mixed_dimension_embedding import (
    MixedDimensionEmbedding,
)
from keras_emb.layers.multi_size_embedding import MultiSizeEmbedding
from keras_emb.layers.popularity_controller import PopularityController
from keras_emb.layers.popularity_counter import PopularityCounter
from keras_emb.layers.projected_embedding import ProjectedEmbedding
from keras_emb.layers.quantized_embedding import QuantizedEmbedding
from keras_emb.layers.replace_tables import replace_tables
from keras_emb.layers.row_scope import RowScope
from keras_emb.layers.selected_embedding import SelectedEmbedding
from keras_emb.layers.size_logits import SizeLogits
from keras_emb.layers.soft_dimension_selection import (
    SoftDimensionSelection,
    UnitInterval,
)
from keras_emb.layers.soft_selection import SoftSelection
from keras_emb.layers.soft_size_embedding import SoftSizeEmbedding
from keras_emb.layers.soft_threshold_embedding import (
    SoftThresholdEmbedding,
    soft_threshold,
)
from keras_emb.layers.table_counts import table_counts
from keras_emb.layers.usages import (
    DotProduct,
    IntoDense,
    SharedSpace,
    WeightedProduct,
)

__all__ = [
    "BipartiteGraph",
    "DenseEmbedding",
    "DotProduct",
    "FieldOffsets",
    "FieldPooling",
    "FieldSizeEmbedding",
    "GraphPropagation",
    "GumbelSelection",
    "IntoDense",
    "MaskedEmbedding",
    "MixedDimensionEmbedding",
    "MultiSizeEmbedding",
    "PopularityController",
    "PopularityCounter",
    "ProjectedEmbedding",
    "QuantizedEmbedding",
    "RowScope",
    "SelectedEmbedding",
    "SharedSpace",
    "SizeLogits",
    "SoftDimensionSelection",
    "SoftSelection",
    "SoftSizeEmbedding",
    "SoftThresholdEmbedding",
    "UnitInterval",
    "WeightedProduct",
    "find_tables",
    "gather_rows",
    "replace_tables",
    "soft_threshold",
    "table_counts",
    "table_features",
    "table_rows",
    "table_values",
]
