import numpy as np
import pytest

from keras_emb.layers import QuantizedEmbedding
from tests.testing import run_layer_test

IDS = np.array([[0, 4], [2, 2], [3, 1]], "int32")


def _rows(spread=1.0):
    rng = np.random.default_rng(0)
    rows = spread * rng.normal(size=(50, 7)) * rng.random((50, 1)) ** 4
    rows[3] = 0
    return rows.astype("float32")


@pytest.mark.parametrize("spread", [1e-7, 1e-4, 1.0, 1e5])
def test_int8_is_off_by_half_a_step_at_most(spread):
    rows = _rows(spread)
    table = QuantizedEmbedding.from_rows(rows, "int8")
    codes = table.scale_codes.numpy()
    assert codes.dtype == np.uint8
    scales = 2.0 ** (codes / 8.0 - 20)
    largest = np.abs(rows).max(axis=1, keepdims=True).astype("float64")
    # Eighths of an octave, none below 2^-20.
    assert (scales >= largest / 127 * (1 - 1e-6)).all()
    assert (scales <= np.maximum(largest / 127 * 2**0.125, 2.0**-20)).all()
    error = np.abs(table.values() - rows)
    assert (error <= scales / 2 * (1 + 1e-6)).all()
    assert not table.values()[3].any()
    steps = table.embeddings.numpy()
    assert steps.dtype == np.int8 and np.abs(steps).max() <= 127


def test_float16_is_the_nearest():
    rows = _rows()
    table = QuantizedEmbedding.from_rows(rows, "float16")
    np.testing.assert_array_equal(
        table.values(), rows.astype("float16").astype("float32")
    )


@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_layer(precision):
    def make(**kwargs):
        return QuantizedEmbedding.from_rows(_rows(), precision, **kwargs)

    run_layer_test(
        make,
        IDS,
        expected_shape=(3, 2, 7),
    )


@pytest.mark.parametrize("bad", [np.inf, np.nan, 1e9])
@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_refuses_what_cannot_be_stored(precision, bad):
    with pytest.raises(ValueError, match="must be finite, and at most"):
        QuantizedEmbedding.from_rows([[1.0, bad]], precision)


def test_refuses_another_precision():
    with pytest.raises(ValueError, match="`precision` must be"):
        QuantizedEmbedding(5, 2, "int4")
