"""Vocabularies of a model on disk."""

import os
from collections.abc import Mapping
from pathlib import Path

from keras_emb.datasets import Vocabulary

__all__ = ["VOCABULARY_FOLDER", "load_vocabularies", "save_vocabularies"]

VOCABULARY_FOLDER = "vocabulary"


def save_vocabularies(
    folder: str | os.PathLike[str], vocabularies: Mapping[str, Vocabulary]
) -> None:
    """Writes the vocabularies of a model into its folder.

    Args:
        folder: Folder of the run or preset.
        vocabularies: Raw ids of the model's rows, by feature.
    """
    below = Path(folder) / VOCABULARY_FOLDER
    below.mkdir(exist_ok=True)
    for feature, vocabulary in vocabularies.items():
        vocabulary.save(below / f"{feature}.npz")


def load_vocabularies(
    folder: str | os.PathLike[str],
) -> dict[str, Vocabulary]:
    """Reads what `save_vocabularies` wrote.

    Args:
        folder: Folder of the run or preset.

    Returns:
        Raw ids of the model's rows, by feature.

    Raises:
        ValueError: If a file is not what it should be.
    """
    paths = sorted((Path(folder) / VOCABULARY_FOLDER).glob("*.npz"))
    return {path.stem: Vocabulary.load(path) for path in paths}
