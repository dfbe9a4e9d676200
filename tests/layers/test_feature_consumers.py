import keras

from keras_emb.layers.feature_consumers import feature_consumers
from tests.layers import foreign_models


def _names(model):
    return {
        feature: (
            sorted(layer.name for layer in seen.tables),
            sorted(type(layer).__name__ for layer in seen.others),
        )
        for feature, seen in feature_consumers(model).items()
    }


def test_sees_tables_behind_reshapes():
    assert _names(foreign_models.functional()) == {
        "user": (["user_table"], []),
        "item": (["item_table"], []),
    }


def test_sees_tables_inside_models():
    assert _names(foreign_models.nested()) == {
        "user": (["user_table"], []),
        "item": (["word"], []),
    }


def test_sees_one_table_on_two_inputs():
    assert _names(foreign_models.twice_shared()) == {
        "user": (["word"], []),
        "item": (["word"], []),
    }


def test_sees_what_is_no_table():
    ids = keras.Input((), dtype="int32", name="ids")
    rows = keras.layers.Embedding(5, 1, name="table")(ids)
    parity = keras.ops.cast(ids % 2, "float32")[:, None]
    model = keras.Model(ids, keras.layers.Add()([rows, parity]))
    assert _names(model) == {"ids": (["table"], ["Mod"])}


def test_says_when_a_model_is_not_functional():
    assert feature_consumers(foreign_models.subclassed()) is None
