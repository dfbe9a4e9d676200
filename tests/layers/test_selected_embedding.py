import keras
import numpy as np
import pytest

from keras_emb.layers import (
    DenseEmbedding,
    SelectedEmbedding,
    SoftDimensionSelection,
)
from keras_emb.zoo import MatrixFactorization
from tests.testing import run_layer_test, save_and_load

IDS = np.array([0, 3, 2, 3], "int32")
BLOCKS = [0, 0, 1, 1]


def make(**kwargs):
    layer = SelectedEmbedding(
        DenseEmbedding(4, 3, **kwargs),
        SoftDimensionSelection(2, 3, **kwargs),
        BLOCKS,
        **kwargs,
    )
    layer.selection.alpha.assign([[1.0, 0.5, 0.0], [0.25, 0.0, 1.0]])
    return layer


def shared_model():
    """A user and an item table under one selection."""
    selection = SoftDimensionSelection(2, 3, name="selection")
    selection.alpha.assign([[1.0, 0.5, 0.0], [0.25, 0.0, 1.0]])
    tables = {
        name: SelectedEmbedding(
            DenseEmbedding(4, 3, name=f"{name}_values"),
            selection,
            blocks,
            name=f"{name}_table",
        )
        for name, blocks in (("user", BLOCKS), ("item", [0, 1, 1, 1]))
    }
    return tables


def test_layer():
    run_layer_test(
        make,
        IDS,
        expected_shape=(4, 3),
        table=lambda layer: layer.table.embeddings,
    )


def test_output_is_the_row_times_its_blocks_alpha():
    layer = make()
    alpha = layer.selection.alpha.numpy()[BLOCKS]
    expected = layer.table.embeddings.numpy() * alpha
    np.testing.assert_array_equal(layer(IDS), expected[IDS])
    np.testing.assert_array_equal(layer.values(), expected)


def test_blocks_survive_the_config():
    copy = SelectedEmbedding.from_config(make().get_config())
    np.testing.assert_array_equal(copy.block_ids, BLOCKS)
    assert copy.block_ids.dtype == "int64"


def test_config_of_sorted_blocks_does_not_grow_with_the_rows():
    layer = SelectedEmbedding(
        DenseEmbedding(1000, 1),
        SoftDimensionSelection(10, 1),
        np.arange(1000) // 100,
    )
    assert layer.get_config()["block_ids"]["lengths"] == [100] * 10


def check_shared(model):
    tables = model.tables
    assert tables["user"].selection is tables["item"].selection
    alphas = [v for v in model.trainable_variables if v.name == "alpha"]
    assert len(alphas) == 1


def test_a_backbone_keeps_its_shared_selection():
    model = MatrixFactorization(shared_model())
    ids = {"user": IDS, "item": IDS[::-1]}
    check_shared(model)
    loaded = save_and_load(model)
    check_shared(loaded)
    np.testing.assert_array_equal(loaded(ids), model(ids))
    check_shared(MatrixFactorization.from_config(model.get_config()))


def test_a_functional_model_keeps_its_shared_selection():
    user, item = keras.Input((), dtype="int32"), keras.Input((), dtype="int32")
    tables = shared_model()
    output = keras.layers.Dot(-1)([tables["user"](user), tables["item"](item)])
    model = keras.Model([user, item], output)
    loaded = save_and_load(model)
    left, right = (loaded.get_layer(f"{name}_table") for name in tables)
    assert left.selection is right.selection
    assert len(loaded.variables) == len(model.variables) == 5
    np.testing.assert_array_equal(loaded([IDS, IDS]), model([IDS, IDS]))


def test_refuses_widths_that_differ():
    with pytest.raises(ValueError, match="same width"):
        SelectedEmbedding(
            DenseEmbedding(4, 3), SoftDimensionSelection(2, 4), BLOCKS
        )


@pytest.mark.parametrize(
    "blocks", [[0, 0, 1], [0, 0, 1, 2], [-1, 0, 1, 1], [0.0, 0.0, 0.5, 1.0]]
)
def test_refuses_wrong_blocks(blocks):
    with pytest.raises(ValueError, match="`block_ids` must be 4 integers"):
        SelectedEmbedding(
            DenseEmbedding(4, 3), SoftDimensionSelection(2, 3), blocks
        )
