import dataclasses
from pathlib import Path

import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import predict_pb2, prediction_log_pb2

from keras_emb.compression import (
    SizeAssignment,
    compact,
    precompute,
    quantize,
)
from keras_emb.datasets import Vocabulary
from keras_emb.layers import (
    find_tables,
    table_values,
)
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
from tests.serving.c_server import CError, CServer, signature_defs
from tests.serving.recommenders import (
    CLICK_VOCABULARIES,
    ITEMS,
    USERS,
    VOCABULARIES,
    all_scores,
    click_model,
    compact_recommender,
    counting_recommender,
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


def test_models_of_other_inputs_are_asked_by_raw_id(tmp_path):
    model = click_model()
    folder = export_recommender(model, CLICK_VOCABULARIES, tmp_path)
    served = Exported(model, folder)
    assert set(served.loaded.signatures) == {
        f"{name}{ending}"
        for name in ("serving_default", "embed")
        for ending in ("", "_rows")
    }
    values = np.array([0.5, -2.0, 0.0], "float32")
    rows = {
        "user": np.array([3, 0, 39], "int32"),
        "genres": np.array([[2, 1, 0], [3, 0, 0], [0, 0, 0]], "int32"),
        "price": np.array([1, 1, 1], "int32"),
    }
    raw = {
        "user": np.array([1003, 5, 1039]),
        "genres": np.array(
            [["Drama", "Crime", ""], ["Comédie", "?", "?"], ["crime", "", ""]]
        ),
        "price": np.array(["known"] * 3),
    }
    expected = model({**rows, "price_value": values})
    by_row = served("serving_default_rows", **rows, price_value=values)
    by_id = served("serving_default", **raw, price_value=values)
    for answer in (by_row, by_id):
        np.testing.assert_allclose(answer["logit"], expected, rtol=1e-5)
        # The second user is unknown, the third has no known genre.
        assert answer["is_known"].tolist() == [True, False, False]
    vectors = served("embed", **{**raw, "price": np.array([], str)})
    for name in ("user", "genres"):
        table = find_tables(model)[name]
        np.testing.assert_array_equal(vectors[name], table(rows[name]))
    assert vectors["genres_is_known"].tolist() == [True, True, False]
    assert vectors["price"].shape == (0, 4)
    # The message has the count of every input.
    few = {**raw, "user": raw["user"][:1]}
    counts = r"equally many[^\[]*\[(3 3 3 1|3 3 1 3|3 1 3 3|1 3 3 3)\]"
    with pytest.raises(tf.errors.InvalidArgumentError, match=counts):
        served("serving_default", **few, price_value=values)


def test_refuses_what_does_not_fit(tmp_path):
    model = dense_recommender(MatrixFactorization)
    with pytest.raises(ValueError, match="`max_k` must be positive"):
        export_recommender(model, VOCABULARIES, tmp_path, max_k=0)
    with pytest.raises(ValueError, match="`vocabularies` must hold"):
        export_recommender(model, {"user": VOCABULARIES["user"]}, tmp_path)
    numbers = keras.Input((3,))
    bare = keras.Model(numbers, keras.layers.Dense(1)(numbers))
    with pytest.raises(ValueError, match="must have an input that looks up"):
        export_recommender(bare, {}, tmp_path)
    large = {**VOCABULARIES, "item": Vocabulary(np.arange(ITEMS))}
    with pytest.raises(ValueError, match="must fit the tables"):
        export_recommender(model, large, tmp_path)
    assert not list(tmp_path.iterdir())
    for nothing in ([-1, 2], ["", "b"]):
        ids = {**VOCABULARIES, "item": Vocabulary(nothing)}
        with pytest.raises(ValueError, match="which stand for no id"):
            export_recommender(model, ids, tmp_path)
    genres = {**CLICK_VOCABULARIES, "genres": Vocabulary(["", "Crime"])}
    with pytest.raises(ValueError, match=r"\['genres'\].*stand for no id"):
        export_recommender(click_model(), genres, tmp_path)
    assert not list(tmp_path.iterdir())


def test_ids_of_minus_one_are_ids_where_nothing_is_filled(tmp_path):
    ids = {
        **CLICK_VOCABULARIES,
        "user": Vocabulary([7, -1]),
        "price": Vocabulary([""]),
    }
    # One more vocabulary than there are inputs does no harm.
    folder = export_recommender(
        click_model(), {**ids, "hour": Vocabulary([1])}, tmp_path
    )
    served = tf.saved_model.load(str(folder)).signatures["serving_default"]
    answer = served(
        user=tf.constant([-1, 8], tf.int64),
        price=tf.constant([""] * 2),
        genres=tf.constant([["Crime", "", ""]] * 2),
        price_value=tf.constant([1.0, 1.0]),
    )
    assert answer["is_known"].numpy().tolist() == [True, False]


@pytest.mark.parametrize("ending", ["", "_rows"])
def test_a_wrong_shape_is_refused_by_name(tmp_path, ending, c_program):
    folder = export_recommender(click_model(), CLICK_VOCABULARIES, tmp_path)
    ids = {"user": [[1]], "genres": [[1, 0, 0]], "price": [1]}
    inputs = {name: np.array(value, "int32") for name, value in ids.items()}
    if not ending:
        inputs["user"] = inputs["user"].astype("int64")
        for name in ("genres", "price"):
            inputs[name] = inputs[name].astype(str).astype(object)
    inputs["price_value"] = np.ones(1, "float32")
    with (
        CServer(c_program, folder) as server,
        pytest.raises(CError, match="(?i)shape.*user"),
    ):
        server.predict(f"serving_default{ending}", inputs)


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("precision", ["float16", "int8"])
def test_fewer_bits_answer_as_the_quantized_model(
    structure, precision, tmp_path
):
    model = compact_recommender(MatrixFactorization, structure)
    served = Exported(
        model,
        export_recommender(model, VOCABULARIES, tmp_path, precision=precision),
    )
    expected = all_scores(quantize(model, precision))
    users, items = np.array([4, 9], "int32"), np.array([3, 20], "int32")
    answer = served("serving_default_rows", user=users, item=items)
    np.testing.assert_allclose(
        answer["rating"][:, 0], expected[users, items], 1e-5, 1e-6
    )
    best, values = _best(expected[users], np.zeros((2, 1), int), 3)
    answer = served(
        "recommend_rows",
        user=users,
        seen=np.zeros((2, 0), "int32"),
        k=np.int32(3),
    )
    np.testing.assert_array_equal(answer["item"], best)
    np.testing.assert_allclose(answer["score"], values, 1e-4)


def _bytes(folder):
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


@pytest.mark.parametrize(
    ("precision", "share"), [("float32", 0.07), ("int8", 0.03)]
)
def test_disk_of_a_model_with_the_rows_of_movielens_1m(
    precision, share, tmp_path
):
    """A twentieth of the values, all ids, all signatures."""
    rows, width = {"user": 6041, "item": 3707}, 128
    rng = np.random.default_rng(0)
    sizes = {}
    for name, count in rows.items():
        drawn = rng.geometric(0.15, count).clip(0, width)
        # Exactly a twentieth, whatever was drawn.
        excess = int(drawn.sum() - 0.05 * count * width)
        while excess > 0:
            long = np.flatnonzero(drawn > 1)[:excess]
            drawn[long] -= 1
            excess -= len(long)
        while excess < 0:
            drawn[:-excess] += 1
            excess += len(drawn[:-excess])
        sizes[name] = drawn
    assignment = SizeAssignment.from_sizes(sizes, dict.fromkeys(sizes, width))
    assert 0.9499 < assignment.sparsity < 0.9501
    dense = MatrixFactorization.from_sizes(
        users=rows["user"], items=rows["item"], embedding_dim=width
    )
    model, report = compact(dense, assignment, row_order="fold")
    vocabularies = {
        name: Vocabulary(rng.permutation(np.arange(1, count)))
        for name, count in rows.items()
    }
    folder = export_recommender(
        model, vocabularies, tmp_path, precision=precision, warm_up=True
    )
    tables = report.before.values
    assert tables == 4 * width * sum(rows.values())
    allowed = share * tables + report.before.dense_layers + 100_000
    assert _bytes(folder) <= allowed


def test_warm_up_requests_are_answered(tmp_path, c_program):
    model = compact_recommender(MatrixFactorization)
    folder = export_recommender(model, VOCABULARIES, tmp_path, warm_up=True)
    path = folder / "assets.extra" / "tf_serving_warmup_requests"
    requests = [
        prediction_log_pb2.PredictionLog.FromString(record).predict_log.request
        for record in tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    ]
    asked = {request.model_spec.signature_name for request in requests}
    assert asked == set(signature_defs(folder))
    with CServer(c_program, folder) as server:
        for request in requests:
            response = predict_pb2.PredictResponse.FromString(
                server.answer(request.SerializeToString())
            )
            known = [n for n in response.outputs if n.endswith("is_known")]
            assert known
            for name in known:
                assert tf.make_ndarray(response.outputs[name]).all()
    bare = export_recommender(
        model, VOCABULARIES, tmp_path, version=2, warm_up=False
    )
    assert not (bare / "assets.extra").exists()


def test_popularity_is_observed_by_raw_id(tmp_path):
    model = counting_recommender()
    folder = export_recommender(model, VOCABULARIES, tmp_path)
    served = Exported(model, folder)
    ids = {"user": _raw("user", [3, 3, 0]), "item": _raw("item", [1, 2, 2])}
    rows = {"user": [3, 3, 0], "item": [1, 2, 2]}
    rows = {name: np.array(ids_, "int32") for name, ids_ in rows.items()}
    before = served("serving_default", **ids)["output"]
    first = served("observe", **ids)
    assert first["user_popularity"].tolist() == [2, 2, 1]
    assert first["item_popularity"].tolist() == [1, 2, 2]
    again = served("observe_rows", **rows)
    assert again["user_popularity"].tolist() == [4, 4, 2]
    after = served("serving_default", **ids)["output"]
    given = served(
        "serve_popularity",
        **ids,
        **{name: again[name].astype("int64") for name in again},
    )
    np.testing.assert_allclose(given["output"], after, 1e-6)
    assert np.abs(after - before).max() > 0
    requests = served.loaded.signatures
    assert {"observe", "observe_rows", "serve_popularity"} <= set(requests)
