import numpy as np
import pytest

from keras_emb.datasets import Ratings


def test_takes_lists_and_fixes_types():
    ratings = Ratings([1, 2], ["a", "b"], [4, 5], time=[10, 0])
    assert ratings.user.dtype == np.int64
    assert ratings.item.dtype.kind == "U"
    assert ratings.rating.dtype == np.float32
    assert ratings.time.dtype == np.int64
    assert len(ratings) == 2


def test_take_adds_up_drops():
    ratings = Ratings([1, 2, 3], [4, 5, 6], [1, 2, 3], dropped={"a": 2})
    taken = ratings.take(np.array([2, 0]), a=1, b=4)
    np.testing.assert_array_equal(taken.user, [3, 1])
    assert taken.time is None
    assert taken.dropped == {"a": 3, "b": 4}
    assert ratings.dropped == {"a": 2}


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        (([1.5], [1], [1]), "`user` must hold integers or strings"),
        (([1], [True], [1]), "`item` must hold integers or strings"),
        (([1, 2], [1], [1]), "`user` must be one-dimensional"),
        (([1], [1], [np.nan]), r"`rating` must be finite.*rating\[0\]=nan"),
        (([1], [1], [np.inf]), "`rating` must be finite"),
        (([1], [1], [1], [2.5]), "`time` must hold integers"),
        (([1], [1], [1], [1, 2]), "`time` must be one-dimensional"),
        (([[1]], [[1]], [[1]]), "one-dimensional"),
    ],
)
def test_refuses(columns, message):
    with pytest.raises(ValueError, match=message):
        Ratings(*columns)
