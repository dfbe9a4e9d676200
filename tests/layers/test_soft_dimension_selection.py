import keras
import numpy as np
import pytest

from keras_emb.layers import SoftDimensionSelection
from tests.testing import run_layer_test

EMBEDDINGS = np.linspace(-1, 1, 12, dtype="float32").reshape(4, 3)
BLOCKS = np.array([0, 1, 1, 0], "int32")


def test_layer():
    run_layer_test(
        lambda **kwargs: SoftDimensionSelection(2, 3, init=0.5, **kwargs),
        EMBEDDINGS,
        BLOCKS,
        expected_shape=(4, 3),
    )


def test_weighs_every_coordinate_by_its_block():
    layer = SoftDimensionSelection(2, 3)
    alpha = np.array([[0.0, 0.5, 1.0], [0.25, 0.0, 0.75]], "float32")
    layer.alpha.assign(alpha)
    np.testing.assert_array_equal(
        layer(EMBEDDINGS, BLOCKS), EMBEDDINGS * alpha[BLOCKS]
    )


def test_alpha_stays_in_the_unit_interval_after_a_step():
    layer = SoftDimensionSelection(2, 3, init=0.5)
    optimizer = keras.optimizers.SGD(1.0)
    gradient = np.array([[9.0, -9.0, 0.25], [0.0, 0.5, -0.5]], "float32")
    optimizer.apply([keras.ops.convert_to_tensor(gradient)], [layer.alpha])
    np.testing.assert_allclose(layer.alpha, [[0.0, 1.0, 0.25], [0.5, 0.0, 1.0]])


def test_products_under_mixed_precision_use_the_full_alpha():
    layer = SoftDimensionSelection(1, 1, dtype="mixed_bfloat16")
    # 255 * (1 - 1/256) is exact in bfloat16, alpha itself is not.
    layer.alpha.assign([[257 / 512]])
    output = layer(np.array([[512.0]], "float32"), np.array([0]))
    exact = keras.ops.cast(257.0, "bfloat16")
    assert float(output[0, 0]) == float(exact)


@pytest.mark.parametrize("init", [-0.1, 1.1])
def test_refuses_a_start_outside_the_unit_interval(init):
    with pytest.raises(ValueError, match="`init` must lie in"):
        SoftDimensionSelection(2, 3, init=init)
