"""PEP: thresholds trained with the tables, arXiv 2101.07577."""

from keras_emb.search.pep.pep import PEP

__all__ = ["PEP"]
