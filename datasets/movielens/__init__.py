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

__all__ = [
    "CONFIGS",
    "MovieLensFiles",
    "find_ratings",
    "parse_ratings",
    "read_movielens_clicks",
    "read_ratings",
]
