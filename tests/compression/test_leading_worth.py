import numpy as np
import pytest

from keras_emb.compression.leading_worth import leading_worth


def _fit(row):
    """Pools neighbours until nothing rises: a plain oracle."""
    blocks = [[value, 1] for value in row]
    while True:
        for i in range(len(blocks) - 1):
            (left, n), (right, m) = blocks[i : i + 2]
            if left < right:
                pooled = [(left * n + right * m) / (n + m), n + m]
                blocks[i : i + 2] = [pooled]
                break
        else:
            return np.repeat(*np.array(blocks).T[[0]], [n for _, n in blocks])


@pytest.mark.parametrize("rows", [1, 5, 700])
def test_each_row_is_fitted_alone(rows):
    rng = np.random.default_rng(rows)
    # Rows of very different size: neighbours must not disturb each other.
    scale = 10.0 ** rng.integers(-3, 3, (rows, 1))
    magnitudes = np.abs(rng.normal(size=(rows, 7))) * scale
    found = leading_worth(magnitudes)
    assert (np.diff(found, axis=1) <= 1e-9 * scale).all()
    expected = np.array([_fit(row) for row in magnitudes**2])
    np.testing.assert_allclose(found**2, expected, rtol=1e-4, atol=1e-9)


def test_sorted_rows_stay_as_they_are():
    magnitudes = np.array([[3.0, 2.0, 2.0], [1.0, 0.5, 0.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(leading_worth(magnitudes), magnitudes)
    assert leading_worth(np.empty((0, 3))).shape == (0, 3)
