"""Bilevel training: two sets of variables, two losses."""

from keras_emb.bilevel.bilevel_model import BilevelModel
from keras_emb.bilevel.hypergradient import (
    first_order_hypergradient,
    unrolled_hypergradient,
)

__all__ = [
    "BilevelModel",
    "first_order_hypergradient",
    "unrolled_hypergradient",
]
