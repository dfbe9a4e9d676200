import numpy as np
import pytest

from keras_emb.evaluation import Predictor
from keras_emb.zoo import DeepFM


@pytest.fixture(scope="module")
def predictor():
    return Predictor(
        DeepFM.from_sizes(
            fields={"user": 5, "price": 3},
            embedding_dim=2,
            numeric=("price",),
            hidden_units=(4,),
        )
    )


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ([1.0, 2.0], "`inputs\\['user'\\]` must hold ids.*dtype=float64"),
        ([1, -2], "integers from 0 on.*least -2"),
        ([True, False], "dtype=bool"),
    ],
)
def test_what_is_no_id_is_refused_in_words(predictor, user, words):
    inputs = {
        "user": np.array(user),
        "price": np.array([1, 2]),
        "price_value": np.array([0.5, -1.5], "float32"),
    }
    with pytest.raises(ValueError, match=words):
        predictor(inputs)
    inputs["user"] = np.array([1, 2])
    assert predictor(inputs).shape == (2,)
