import dataclasses
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf

from keras_emb.compression import precompute
from keras_emb.datasets import Vocabulary
from keras_emb.layers import find_tables, table_values
from keras_emb.serving import export_recommender
from keras_emb.serving.top_items import top_items
from keras_emb.zoo.backbones import (
    MLP,
    NGCF,
    LightGCN,
    MatrixFactorization,
    NeuMF,
    StreamingDLRS,
)
from tests.serving.recommenders import (
    ITEMS,
    USERS,
    VOCABULARIES,
    all_scores,
    compact_recommender,
    dense_recommender,
)


@dataclasses.dataclass
class Exported:
    model: object
    folder: Path

    def __post_init__(self):
        self.loaded = tf.saved_model.load(str(self.folder))

    def __call__(self, signature, **inputs):
        answers = self.loaded.signatures[signature](
            **{name: tf.constant(value) for name, value in inputs.items()}
        )
        return {name: value.numpy() for name, value in answers.items()}


_MODELS = {
    "mf": lambda: compact_recommender(MatrixFactorization),
    "mf_mask": lambda: compact_recommender(MatrixFactorization, "mask"),
    "neumf": lambda: compact_recommender(NeuMF),
    "mlp": lambda: compact_recommender(MLP, "mask"),
    "lightgcn": lambda: compact_recommender(LightGCN),
    "ngcf": lambda: dense_recommender(NGCF),
    "precomputed": lambda: precompute(dense_recommender(LightGCN)),
}


@pytest.fixture(scope="module", params=_MODELS)
def exported(request, tmp_path_factory):
    model = _MODELS[request.param]()
    folder = export_recommender(
        model, VOCABULARIES, tmp_path_factory.mktemp(request.param), max_k=10
    )
    moved = folder.parent.parent / f"moved_{request.param}"
    folder.rename(moved)
    return Exported(model, moved)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """A model of dense tables, the smallest export."""
    model = dense_recommender(MatrixFactorization)
    folder = export_recommender(
        model, VOCABULARIES, tmp_path_factory.mktemp("plain"), max_k=10
    )
    return Exported(model, folder)


def _raw(name, rows):
    """Raw ids of rows; an unknown one for row 0."""
    vocabulary = VOCABULARIES[name]
    unknown = "?" if vocabulary.raw_ids.dtype.kind == "U" else -5
    ids = np.concatenate([[unknown], vocabulary.raw_ids])[rows]
    return ids.astype(object) if unknown == "?" else ids


def test_pairs_are_scored_by_raw_id_and_by_row(exported):
    users = np.array([3, 0, USERS - 1, 3], "int32")
    items = np.array([1, 4, 0, ITEMS - 1], "int32")
    expected = all_scores(exported.model)[users, items]
    by_row = exported("serving_default_rows", user=users, item=items)
    by_id = exported(
        "serving_default", user=_raw("user", users), item=_raw("item", items)
    )
    for answer in (by_row, by_id):
        known = answer.pop("is_known")
        np.testing.assert_array_equal(known, [True, False, False, True])
        (scores,) = answer.values()
        np.testing.assert_allclose(scores[:, 0], expected, 1e-5, 1e-6)


def _best(scores, seen, k):
    """Items of each user, by NumPy alone."""
    scores = scores.astype("float64").copy()
    scores[:, 0] = -np.inf
    for row, items in zip(scores, seen, strict=True):
        row[items] = -np.inf
    items = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    values = np.take_along_axis(scores, items, 1)
    return np.where(np.isinf(values), 0, items), values


def test_the_best_unseen_items_are_recommended(exported):
    users = np.array([5, 0, 17], "int32")
    seen = np.array([[2, 3, 2], [0, 0, 9], [0, 0, 0]], "int32")
    items, scores = _best(all_scores(exported.model)[users], seen, 6)
    by_row = exported("recommend_rows", user=users, seen=seen, k=np.int32(6))
    by_id = exported(
        "recommend",
        user=_raw("user", users),
        seen=_raw("item", seen),
        k=np.int32(6),
    )
    np.testing.assert_array_equal(by_row["item"], items)
    np.testing.assert_array_equal(by_id["item"], _raw("item", items))
    for answer in (by_row, by_id):
        np.testing.assert_allclose(answer["score"], scores, 1e-4, 1e-5)
        np.testing.assert_array_equal(answer["is_known"], users > 0)


def test_ids_are_embedded_as_the_tables_do(exported):
    rows = {"user": np.array([0, 7], "int32"), "item": np.array([8], "int32")}
    by_row = exported("embed_rows", **rows)
    by_id = exported("embed", **{n: _raw(n, ids) for n, ids in rows.items()})
    tables = find_tables(exported.model)
    for answer in (by_row, by_id):
        assert answer["user_is_known"].tolist() == [False, True]
        assert answer["item_is_known"].tolist() == [True]
        for name, table in tables.items():
            ids = rows["user" if name.startswith("user") else "item"]
            np.testing.assert_allclose(
                answer[name], table_values(table)[ids], 1e-6, 1e-7
            )
        assert len(answer) == len(tables) + 2


def test_empty_requests_have_empty_answers(exported):
    none = {"user": np.array([], object), "item": np.array([], "int64")}
    (scores,) = (
        value
        for name, value in exported("serving_default", **none).items()
        if name != "is_known"
    )
    assert scores.shape == (0, 1)
    answer = exported(
        "recommend",
        user=none["user"],
        seen=np.zeros((0, 3), "int64"),
        k=np.int32(2),
    )
    assert answer["item"].shape == answer["score"].shape == (0, 2)
    for value in exported("embed", **none).values():
        assert value.shape[0] == 0


def test_places_without_an_item_hold_none(plain):
    seen = np.tile(np.arange(1, ITEMS - 2, dtype="int32"), (1, 1))
    user = np.array(["usér 3"], object)
    answer = plain(
        "recommend", user=user, seen=_raw("item", seen), k=np.int32(4)
    )
    left = set(_raw("item", [ITEMS - 2, ITEMS - 1]).tolist())
    assert set(answer["item"][0, :2].tolist()) == left
    assert answer["item"][0, 2:].tolist() == [-1, -1]
    assert np.isneginf(answer["score"][0, 2:]).all()


def test_requests_that_make_no_sense_are_errors(plain):
    user, seen = np.array([1], "int32"), np.zeros((1, 0), "int32")
    for k in (0, -1, 11, 2**31 - 1):
        with pytest.raises(tf.errors.InvalidArgumentError, match="`k` must be"):
            plain("recommend_rows", user=user, seen=seen, k=np.int32(k))
    with pytest.raises(tf.errors.InvalidArgumentError, match="`seen` must"):
        plain(
            "recommend_rows",
            user=user,
            seen=np.zeros((2, 1), "int32"),
            k=np.int32(1),
        )
    with pytest.raises(tf.errors.InvalidArgumentError, match="at most 1024"):
        plain(
            "recommend_rows",
            user=np.ones(1025, "int32"),
            seen=np.zeros((1025, 0), "int32"),
            k=np.int32(1),
        )
    with pytest.raises(tf.errors.InvalidArgumentError, match="equally many"):
        plain("serving_default_rows", user=user, item=np.ones(3, "int32"))


@pytest.mark.parametrize("block", [1, 3, 24, 25, 100])
def test_blocks_find_what_one_sort_finds(block):
    scores = np.random.default_rng(0).integers(0, 6, (4, 25)).astype("float32")
    seen = np.array([[1, 2], [0, 24], [0, 0], [7, 7]], "int32")
    found = top_items(
        lambda first, last: tf.constant(scores)[:, first:last],
        tf.constant(seen),
        tf.constant(9),
        24,
        tf.constant(block),
    )
    items, values = _best(scores, seen, 9)
    np.testing.assert_array_equal(found[0], items)
    np.testing.assert_array_equal(found[1], values)


def test_rows_without_an_id_are_never_recommended(tmp_path):
    model = dense_recommender(MatrixFactorization)
    few = {"user": VOCABULARIES["user"], "item": Vocabulary([3, 1, 2])}
    served = Exported(model, export_recommender(model, few, tmp_path))
    answer = served(
        "recommend_rows",
        user=np.arange(USERS, dtype="int32"),
        seen=np.zeros((USERS, 0), "int32"),
        k=np.int32(3),
    )
    np.testing.assert_array_equal(
        np.sort(answer["item"]), np.tile([1, 2, 3], (USERS, 1))
    )


def test_models_of_several_outputs_recommend_nothing(tmp_path):
    model = StreamingDLRS.from_sizes(
        users=USERS,
        items=ITEMS,
        embedding_dim=4,
        task="multiclass",
        hidden_units=8,
    )
    served = Exported(model, export_recommender(model, VOCABULARIES, tmp_path))
    assert set(served.loaded.signatures) == {
        f"{name}{ending}"
        for name in ("serving_default", "embed")
        for ending in ("", "_rows")
    }


def test_refuses_what_does_not_fit(tmp_path):
    model = dense_recommender(MatrixFactorization)
    with pytest.raises(ValueError, match="`max_k` must be positive"):
        export_recommender(model, VOCABULARIES, tmp_path, max_k=0)
    with pytest.raises(ValueError, match="`vocabularies` must hold"):
        export_recommender(model, {"user": VOCABULARIES["user"]}, tmp_path)
    large = {**VOCABULARIES, "item": Vocabulary(np.arange(ITEMS))}
    with pytest.raises(ValueError, match="must fit the tables"):
        export_recommender(model, large, tmp_path)
    assert not list(tmp_path.iterdir())
