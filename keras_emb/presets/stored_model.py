"""The model of a preset: its configuration and its weights."""

from pathlib import Path
from typing import Any

import keras

from keras_emb.compression import SizeAssignment
from keras_emb.layers import (
    DenseEmbedding,
    MixedDimensionEmbedding,
    ProjectedEmbedding,
    find_tables,
    replace_tables,
)
from keras_emb.presets.preset_files import read_json_object, write_json_object
from keras_emb.training import apply_assignment

__all__ = ["fresh_model", "load_model", "save_model"]

_CONFIG_FILE = "config.json"
_WEIGHTS_FILE = "model.weights.h5"


def save_model(model: keras.Model, folder: Path) -> None:
    """Writes configuration and weights.

    Args:
        model: A built Keras model.
        folder: Folder of the preset.
    """
    config = keras.saving.serialize_keras_object(model)
    # A preset is loaded to be used; whoever trains it compiles it.
    config.pop("compile_config", None)
    write_json_object(folder / _CONFIG_FILE, config)
    model.save_weights(folder / _WEIGHTS_FILE)


def load_model(folder: Path, *, load_weights: bool = True) -> keras.Model:
    """Reads what `save_model` wrote.

    Args:
        folder: Folder of the preset.
        load_weights: Whether the model gets its weights.

    Raises:
        ValueError: If a file is missing, or not of a model that can be built.
    """
    config = read_json_object(folder / _CONFIG_FILE)
    try:
        model = keras.saving.deserialize_keras_object(config)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"`preset` must hold the {_CONFIG_FILE} of a model whose classes "
            "are known here; import or register them first. Received: "
            f"{folder} ({error})"
        ) from error
    if not load_weights:
        return model
    try:
        model.load_weights(folder / _WEIGHTS_FILE)
    except (KeyError, OSError, ValueError) as error:
        raise ValueError(
            f"`preset` must hold the {_WEIGHTS_FILE} of the model in its "
            f"{_CONFIG_FILE}. Received: {folder} ({error})"
        ) from error
    return model


def fresh_model(
    model: keras.Model, sizes: SizeAssignment | None
) -> keras.Model:
    """A model to train in the place of a compact one without weights.

    Args:
        model: Built from the configuration of a compact model.
        sizes: Its sizes.

    Returns:
        The model with tables of full width that show only what `sizes` keep.

    Raises:
        ValueError: If `sizes` are of other tables.
    """
    if sizes is None:
        return model
    absent = sorted(set(sizes.tables) - set(find_tables(model)))
    if absent:
        raise ValueError(
            "`load_weights` must be True for a preset that stores vectors "
            "computed from its tables; SizeAssignment.from_preset gives the "
            f"sizes for a model of your own. Received: tables {absent} are "
            "not in the model"
        )

    def dense(name: str, table: Any) -> Any:
        if isinstance(table, ProjectedEmbedding):
            return table.with_table(dense(name, table.table))
        if not isinstance(table, MixedDimensionEmbedding):
            return table
        return DenseEmbedding(
            table.vocabulary_size,
            table.output_dim,
            name=table.name,
            dtype=table.dtype_policy,
        )

    return apply_assignment(replace_tables(model, dense), sizes)
