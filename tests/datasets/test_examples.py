import numpy as np
import pytest

from keras_emb.datasets import Examples


def test_fixes_types():
    examples = Examples({"user": [1, 2]}, [3, 4], time=[5, 6])
    assert examples.features["user"].dtype == np.int32
    assert examples.label.dtype == np.float32
    assert examples.time.dtype == np.int64
    assert len(examples) == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (({}, [1.0]), "`features` must hold a column"),
        (({"user": [1]}, [1.0, 2.0]), "as long as `label`"),
        (({"user": [1.5]}, [1.0]), "must hold integers"),
        (({"user": [1]}, [1.0], [1, 2]), "`time` must be one-dimensional"),
        (({"user": [[1]]}, [[1.0]]), "one-dimensional"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        Examples(*arguments)
