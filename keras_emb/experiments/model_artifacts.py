"""What a run keeps of its model: compact, saved and exported."""

import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import keras
import numpy as np

from keras_emb.compression import SizeAssignment, TableSizes, compact
from keras_emb.datasets import Vocabulary
from keras_emb.layers import table_counts, table_features
from keras_emb.presets.saved_vocabularies import save_vocabularies
from keras_emb.serving import export_for_serving

__all__ = ["ModelArtifacts", "write_model_artifacts"]


@dataclass(frozen=True)
class ModelArtifacts:
    """The model that was written, in the order of its rows.

    Attributes:
        assignment: Sizes of its rows.
        popularity: Occurrences of each row in training, by table.
        num_bytes: Bytes of its parts, and on disk as a SavedModel.
    """

    assignment: SizeAssignment
    popularity: dict[str, np.ndarray]
    num_bytes: dict[str, int]


def write_model_artifacts(
    path: Path,
    model: keras.Model,
    assignment: SizeAssignment,
    *,
    vocabularies: Mapping[str, Vocabulary],
    popularity: Mapping[str, np.ndarray],
    row_order: Literal["fold", "keep"],
) -> ModelArtifacts:
    """Makes a model compact and writes all that is needed to use it.

    Writes `vocabulary/`, `sizes.npz`, `model.keras` and `saved_model/1/`.

    Args:
        path: Folder of the run.
        model: The trained model, with masked tables.
        assignment: Its sizes.
        vocabularies: Ids of every row, by feature.
        popularity: Occurrences of every row, by feature.
        row_order: Whether ids are renumbered, see `compact`.
    """
    small, report = compact(model, assignment, row_order=row_order)
    orders = report.feature_orders
    assignment = _reorder(assignment, orders, table_features(model))
    save_vocabularies(
        path,
        {
            feature: vocabulary.reorder(orders[feature])
            if feature in orders
            else vocabulary
            for feature, vocabulary in vocabularies.items()
        },
    )
    assignment.save(path / "sizes.npz")
    partial = path / "partial.keras"
    small.save(partial)
    partial.replace(path / "model.keras")
    shutil.rmtree(path / "saved_model", ignore_errors=True)
    version = export_for_serving(small, path / "saved_model")
    files = (file for file in version.rglob("*") if file.is_file())
    return ModelArtifacts(
        assignment,
        table_counts(
            model,
            {
                feature: counts[orders[feature]]
                if feature in orders
                else counts
                for feature, counts in popularity.items()
            },
            tables=assignment.tables,
        ),
        {
            **report.after.as_dict(),
            "artifact_on_disk": sum(file.stat().st_size for file in files),
        },
    )


def _reorder(
    assignment: SizeAssignment,
    orders: Mapping[str, np.ndarray],
    features: Mapping[str, str | tuple[str, ...]],
) -> SizeAssignment:
    tables = {}
    for name, table in assignment.tables.items():
        feature = features[name]
        if not isinstance(feature, str) or feature not in orders:
            tables[name] = table
        elif table.sizes is not None:
            sizes = table.sizes[orders[feature]]
            tables[name] = TableSizes(table.output_dim, sizes=sizes)
        else:
            mask = np.asarray(table.mask)[orders[feature]]
            tables[name] = TableSizes(table.output_dim, mask=mask)
    return SizeAssignment(tables, assignment.origin)
