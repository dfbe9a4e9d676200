"""AutoDim: one size a field."""

from keras_emb.search.autodim.autodim import AutoDim
from keras_emb.search.autodim.field_sizes import (
    field_sizes,
    gumbel_temperature,
)

__all__ = ["AutoDim", "field_sizes", "gumbel_temperature"]
