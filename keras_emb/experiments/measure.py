"""How good a trained model is, and how large once it is compact."""

import tempfile
from collections.abc import Mapping

import keras

from keras_emb.compression import SizeAssignment, compact
from keras_emb.datasets import Interactions
from keras_emb.experiments.backbones import row_order
from keras_emb.serving import export_for_serving
from keras_emb.training import Objective

__all__ = ["measure_bytes", "measure_quality"]


def measure_quality(
    model: keras.Model, interactions: Interactions, objective: Objective
) -> dict[str, Mapping[str, float]]:
    """Metrics of the validation and the test part.

    Args:
        model: The model.
        interactions: The data.
        objective: Says which metrics.
    """
    return {
        "validation": objective.measure(model, interactions, "validation"),
        "test": objective.measure(model, interactions, "test"),
    }


def measure_bytes(
    model: keras.Model, assignment: SizeAssignment
) -> dict[str, int]:
    """Bytes of the compact model, in memory and as it is served.

    Args:
        model: A model whose tables hold no more than the sizes say.
        assignment: The sizes.
    """
    small, compaction = compact(model, assignment, row_order=row_order(model))
    with tempfile.TemporaryDirectory() as folder:
        version = export_for_serving(small, folder)
        files = [file for file in version.rglob("*") if file.is_file()]
        on_disk = sum(file.stat().st_size for file in files)
    return {
        "values": compaction.after.values,
        "index": compaction.after.index,
        "dense_layers": compaction.after.dense_layers,
        "total": compaction.after.total,
        "artifact_on_disk": on_disk,
    }
