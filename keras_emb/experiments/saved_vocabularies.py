"""Vocabularies of a run on disk."""

import os
from collections.abc import Mapping
from pathlib import Path

from keras_emb.datasets import Vocabulary

__all__ = ["save_vocabularies"]


def save_vocabularies(
    folder: str | os.PathLike[str], vocabularies: Mapping[str, Vocabulary]
) -> None:
    """Writes the vocabularies of a model where `SavedRun.load` reads them.

    Args:
        folder: Folder of the run.
        vocabularies: Raw ids of the model's rows, by feature.
    """
    below = Path(folder) / "vocabulary"
    below.mkdir(exist_ok=True)
    for feature, vocabulary in vocabularies.items():
        vocabulary.save(below / f"{feature}.npz")
