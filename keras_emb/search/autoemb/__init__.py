"""AutoEmb: sizes weighed by popularity, on a stream."""

from keras_emb.search.autoemb.autoemb import AutoEmb
from keras_emb.search.autoemb.candidates import add_candidates
from keras_emb.search.autoemb.harden import harden
from keras_emb.search.autoemb.regrow_sizes import regrow_sizes
from keras_emb.search.autoemb.regrowth import Regrowth
from keras_emb.search.autoemb.size_choice import choose_sizes

__all__ = [
    "AutoEmb",
    "Regrowth",
    "add_candidates",
    "choose_sizes",
    "harden",
    "regrow_sizes",
]
