"""Criteo: reader of the official file, and the TFDS builder.

The builder stands in `keras_emb.datasets.criteo.criteo`, which needs the
extra `datasets`.
"""

from keras_emb.datasets.criteo.files import (
    CRITEO_CONFIGS,
    criteo_clicks,
    parse_criteo,
    read_criteo,
)

__all__ = ["CRITEO_CONFIGS", "criteo_clicks", "parse_criteo", "read_criteo"]
