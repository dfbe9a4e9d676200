"""MovieLens: reader of the official files, and the TFDS builder.

The builder stands in `keras_emb.datasets.movielens.movielens`, which needs the
extra `datasets`.
"""

from keras_emb.datasets.movielens.clicks import read_movielens_clicks
from keras_emb.datasets.movielens.files import (
    CONFIGS,
    MovieLensFiles,
    find_ratings,
    parse_ratings,
    read_ratings,
)
from keras_emb.datasets.movielens.ncf_split import (
    NcfSplit,
    find_ncf_split,
    read_ncf_split,
)

__all__ = [
    "CONFIGS",
    "MovieLensFiles",
    "NcfSplit",
    "find_ncf_split",
    "find_ratings",
    "parse_ratings",
    "read_ncf_split",
    "read_movielens_clicks",
    "read_ratings",
]
