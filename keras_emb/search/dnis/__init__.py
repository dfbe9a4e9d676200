"""Differentiable neural input search."""

from keras_emb.search.dnis.blocks import decade_sizes, popularity_blocks
from keras_emb.search.dnis.dnis import DNIS
from keras_emb.search.dnis.selection import add_selection, merge_selection

__all__ = [
    "DNIS",
    "add_selection",
    "decade_sizes",
    "merge_selection",
    "popularity_blocks",
]
