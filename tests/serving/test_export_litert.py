import numpy as np
import pytest

from keras_emb.compression import precompute
from keras_emb.serving import export_litert
from keras_emb.zoo.backbones import (
    MLP,
    LightGCN,
    MatrixFactorization,
    NeuMF,
)
from tests.serving.recommenders import (
    ITEMS,
    USERS,
    all_scores,
    compact_recommender,
    dense_recommender,
)

litert = pytest.importorskip("ai_edge_litert.interpreter")

_MODELS = {
    "dense": lambda: dense_recommender(MatrixFactorization),
    "fold": lambda: compact_recommender(MatrixFactorization, order="fold"),
    "prefix": lambda: compact_recommender(NeuMF),
    "mask": lambda: compact_recommender(MLP, "mask", keep=0.05),
    "precomputed": lambda: precompute(dense_recommender(LightGCN)),
}


@pytest.mark.parametrize("kind", _MODELS)
def test_litert_gets_the_same_numbers(kind, tmp_path):
    model = _MODELS[kind]()
    path = export_litert(model, tmp_path / "model.tflite")
    run = litert.Interpreter(str(path)).get_signature_runner("serving_default")
    users = np.array([3, 0, USERS - 1, 999, -1, 2], "int32")
    items = np.array([1, 4, 0, ITEMS - 1, 3, ITEMS], "int32")
    (answer,) = run(user=users, item=items).values()
    expected = all_scores(model)[
        np.where((users >= 0) & (users < USERS), users, 0),
        np.where(items < ITEMS, items, 0),
    ]
    np.testing.assert_allclose(answer[:, 0], expected, 1e-5, 1e-6)
    assert [file.name for file in tmp_path.iterdir()] == ["model.tflite"]
    with pytest.raises(ValueError, match="`path` must be a new file"):
        export_litert(model, path)


def test_says_what_litert_lacks(tmp_path):
    model = compact_recommender(MatrixFactorization, "mask", keep=0.7)
    with pytest.raises(ValueError, match="which needs BitwiseAnd"):
        export_litert(model, tmp_path / "model.tflite")
    assert not list(tmp_path.iterdir())
