import numpy as np
import pytest

from keras_emb.datasets import count_popularity


def test_counts_every_row():
    counts = count_popularity(np.array([3, 1, 3], dtype=np.int32), 5)
    np.testing.assert_array_equal(counts, [0, 1, 0, 2, 0])
    assert counts.dtype == np.int64


@pytest.mark.parametrize("row", [-1, 5])
def test_refuses_rows_outside(row):
    with pytest.raises(ValueError, match=r"`rows` must lie in 0\.\.4"):
        count_popularity(np.array([0, row]), 5)
