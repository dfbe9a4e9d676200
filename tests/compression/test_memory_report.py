import keras
import numpy as np
import pytest

from keras_emb.compression import SizeAssignment, compact, memory_report
from keras_emb.layers import (
    DenseEmbedding,
    MaskedEmbedding,
    SelectedEmbedding,
    SoftDimensionSelection,
    replace_tables,
)
from keras_emb.zoo.backbones import MatrixFactorization
from tests.layers import foreign_models


def _model():
    return MatrixFactorization.from_sizes(users=30, items=20, embedding_dim=8)


def _stored(model):
    return sum(weight.numpy().nbytes for weight in model.weights)


def test_dense_model():
    report = memory_report(_model())
    assert report.values == report.tables["user"].dense + 20 * 8 * 4
    assert report.index == 0
    assert report.dense_layers == 4 * (30 + 20 + 1)
    assert report.total == report.dense == _stored(_model())
    assert sum(report.layers.values()) == report.dense_layers


def test_masks_and_selections_count_as_index():
    selection = SoftDimensionSelection(3, 8)
    kinds = {
        30 * 4 + 20 * 4: lambda name, table: MaskedEmbedding.from_table(table),
        30 * 8 + 20 * 8: lambda name, table: MaskedEmbedding.from_table(
            table, structure="mask"
        ),
        (30 + 20) * 8 + 3 * 8 * 4: lambda name, table: SelectedEmbedding(
            DenseEmbedding.from_table(table),
            selection,
            np.zeros(table.vocabulary_size, int),
            name=table.name,
        ),
    }
    for index, make in kinds.items():
        model = replace_tables(_model(), make)
        report = memory_report(model)
        assert report.index == index
        assert report.values == 50 * 8 * 4
        assert report.dense == memory_report(_model()).dense
        assert report.total == _stored(model)


def test_compact_model():
    model = _model()
    assignment = SizeAssignment.uniform({"user": (30, 8)}, 2)
    small, compaction = compact(model, assignment)
    report = memory_report(small)
    assert report == compaction.after
    assert report.tables["user"].values == 30 * 2 * 4
    assert report.tables["user"].index == 28
    assert report.tables["user"].total == 30 * 2 * 4 + 28
    assert report.tables["item"].values == 20 * 8 * 4
    assert report.dense == compaction.before.dense
    assert report.total == _stored(small)
    assert compaction.ratio == report.dense / report.total


@pytest.mark.parametrize(
    "make",
    [
        foreign_models.functional,
        foreign_models.nested,
        foreign_models.sequential,
        foreign_models.twice_shared,
        foreign_models.subclassed,
    ],
)
def test_parts_add_up_in_any_model(make):
    model = make()
    report = memory_report(model)
    assert report.total == _stored(model)
    assert report.tables


def test_model_without_tables():
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    report = memory_report(model)
    assert report.as_dict() == {
        "dense": 32,
        "values": 0,
        "index": 0,
        "projections": 0,
        "graph": 0,
        "dense_layers": 32,
        "total": 32,
    }


def test_reads_as_a_table():
    assignment = SizeAssignment.uniform({"user": (30, 8)}, 2)
    _, compaction = compact(_model(), assignment)
    lines = str(compaction).splitlines()
    assert lines[0].split() == [
        "values",
        "index",
        "projections",
        "total",
        "dense",
    ]
    assert ["user", "240", "28", "0", "268", "960"] in map(str.split, lines)
    assert lines[-2].split()[0] == "total"
    assert "times smaller than dense" in lines[-1]


def test_refuses_a_model_that_is_not_built():
    with pytest.raises(ValueError, match="`model` must be built"):
        memory_report(keras.Sequential([keras.layers.Dense(2)]))
