"""AutoEmb: sizes weighed by popularity, on a stream."""

from keras_emb.search.autoemb.autoemb import AutoEmb
from keras_emb.search.autoemb.candidates import add_candidates
from keras_emb.search.autoemb.harden import harden
from keras_emb.search.autoemb.size_choice import choose_sizes

__all__ = ["AutoEmb", "add_candidates", "choose_sizes", "harden"]
