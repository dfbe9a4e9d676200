import keras
import numpy as np
import pytest

from keras_emb.layers import (
    DenseEmbedding,
    SelectedEmbedding,
    SoftDimensionSelection,
    find_tables,
    table_features,
)
from keras_emb.zoo import NeuMF
from tests.layers import foreign_models


def test_finds_keras_and_our_tables_by_name():
    model = foreign_models.functional()
    assert list(find_tables(model)) == ["user_table", "item_table"]


def test_a_backbone_names_its_own():
    model = NeuMF.from_sizes(users=3, items=4, embedding_dim=5)
    assert find_tables(model) == dict(model.tables)
    assert table_features(model) == {
        "user_gmf": "user",
        "item_gmf": "item",
        "user_mlp": "user",
        "item_mlp": "item",
    }


def test_looks_inside_nested_and_subclassed_models():
    assert set(find_tables(foreign_models.nested())) == {"user_table", "word"}
    assert set(find_tables(foreign_models.subclassed())) == {
        "hidden_table",
        "listed_table",
        "named_table",
        "inner_table",
    }


def test_does_not_look_inside_tables():
    table = SelectedEmbedding(
        DenseEmbedding(4, 2, name="values"),
        SoftDimensionSelection(1, 2),
        np.zeros(4, int),
        name="outer",
    )
    model = keras.Sequential([keras.Input((), dtype="int32"), table])
    assert find_tables(model) == {"outer": table}


def test_a_layer_used_twice_is_one_table():
    assert list(find_tables(foreign_models.twice_shared())) == ["word"]


def test_refuses_two_tables_of_one_name():
    inner = [
        keras.Sequential(
            [
                keras.Input((), dtype="int32"),
                keras.layers.Embedding(3, 2, name="same"),
            ],
            name=name,
        )
        for name in ("first", "second")
    ]
    ids = keras.Input((), dtype="int32")
    model = keras.Model(ids, [part(ids) for part in inner])
    with pytest.raises(ValueError, match="different names"):
        find_tables(model)


def test_features_are_traced_through_reshapes_and_nested_models():
    assert table_features(foreign_models.functional()) == {
        "user_table": "user",
        "item_table": "item",
    }
    assert table_features(foreign_models.nested()) == {
        "user_table": "user",
        "word": "item",
    }


def test_features_that_cannot_be_traced_are_an_error():
    with pytest.raises(ValueError, match="argument. Received: table='word'"):
        table_features(foreign_models.twice_shared())
    with pytest.raises(ValueError, match="functional model"):
        table_features(foreign_models.subclassed())
