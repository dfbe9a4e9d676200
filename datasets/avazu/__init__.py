"""Avazu: reader of the official file, and the TFDS builder.

The builder stands in `keras_emb.datasets.avazu.avazu`, which needs the extra
`datasets`.
"""

from keras_emb.datasets.avazu.files import (
    AVAZU_CONFIGS,
    avazu_clicks,
    parse_avazu,
    read_avazu,
)

__all__ = ["AVAZU_CONFIGS", "avazu_clicks", "parse_avazu", "read_avazu"]
