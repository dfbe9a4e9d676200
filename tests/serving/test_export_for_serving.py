import keras
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow.python.framework.meta_graph import stripped_op_list_for_graph

from keras_emb.compression import (
    SizeAssignment,
    compact,
    memory_report,
    threshold_assignment,
)
from keras_emb.layers import (
    BipartiteGraph,
    MultiSizeEmbedding,
    PopularityController,
    SoftSizeEmbedding,
    find_tables,
    table_values,
)
from keras_emb.serving import export_for_serving
from keras_emb.training import StreamBatches, train_on_stream
from keras_emb.zoo.backbones import (
    MLP,
    NGCF,
    DeepFM,
    LightGCN,
    MatrixFactorization,
    NeuMF,
    StreamingDLRS,
)
from tests.layers import foreign_models
from tests.serving.c_server import CServer


def _compact(kind, structure="prefix", users=400, items=150, width=20):
    keras.utils.set_random_seed(0)
    if kind in (LightGCN, NGCF):
        ids = _ids(3000, users, items)
        graph = BipartiteGraph.from_pairs(
            ids["user"], ids["item"], users, items
        )
        model = kind.from_graph(graph, embedding_dim=width)
    else:
        model = kind.from_sizes(users=users, items=items, embedding_dim=width)
    for table in find_tables(model).values():
        # Rows that fall off with popularity have different sizes.
        fall = np.arange(1, table.vocabulary_size + 1)[:, None] ** -0.5
        table.embeddings.assign(table_values(table) * fall * 5)
    tables = {n: table_values(t) for n, t in find_tables(model).items()}
    return compact(model, threshold_assignment(tables, 0.1, structure))


def _ids(count=50, users=400, items=150):
    rng = np.random.default_rng(0)
    return {
        "user": rng.integers(0, users, count).astype("int32"),
        "item": rng.integers(0, items, count).astype("int32"),
    }


def _serve(folder, inputs):
    serve = tf.saved_model.load(str(folder)).signatures["serving_default"]
    return serve(**{name: tf.constant(ids) for name, ids in inputs.items()})


def _disk_bytes(folder):
    return sum(f.stat().st_size for f in folder.rglob("*") if f.is_file())


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (LightGCN, "score"),
        (MatrixFactorization, "rating"),
        (MLP, "rating"),
        (NGCF, "score"),
        (NeuMF, "rating"),
    ],
)
def test_serves_what_the_model_predicts(kind, name, structure, tmp_path):
    model, _ = _compact(kind, structure)
    folder = export_for_serving(model, tmp_path / "model", version=3)
    assert folder == tmp_path / "model" / "3"
    served = _serve(folder, _ids())
    assert list(served) == [name]
    np.testing.assert_allclose(
        served[name], model(_ids()), rtol=1e-6, atol=1e-7
    )
    one = {feature: ids[:1] for feature, ids in _ids().items()}
    assert _serve(folder, one)[name].shape == (1, 1)


def test_inputs_are_named_integers(tmp_path):
    model, _ = _compact(MatrixFactorization)
    folder = export_for_serving(model, tmp_path)
    signatures = tf.saved_model.load(str(folder)).signatures
    assert list(signatures) == ["serving_default"]
    _, inputs = signatures["serving_default"].structured_input_signature
    assert inputs == {
        name: tf.TensorSpec((None,), "int32", name) for name in ("user", "item")
    }


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", [LightGCN, MatrixFactorization, MLP, NeuMF])
def test_disk_holds_the_report_and_little_more(kind, structure, tmp_path):
    model, report = _compact(kind, structure, users=6000, items=3500)
    folder = export_for_serving(model, tmp_path)
    stored = sum(weight.numpy().nbytes for weight in model.weights)
    assert report.after.total == memory_report(model).total == stored
    assert stored < _disk_bytes(folder) <= 1.05 * stored + 100_000
    files = sum(f.stat().st_size for f in (folder / "variables").iterdir())
    assert stored <= files <= stored + 8000


def test_weights_are_stored_once(tmp_path):
    model = MatrixFactorization.from_sizes(
        users=20_000, items=100, embedding_dim=32
    )
    folder = export_for_serving(model, tmp_path)
    dense = memory_report(model).total
    assert dense <= _disk_bytes(folder) <= dense + 100_000


@pytest.mark.parametrize("kind", [LightGCN, MatrixFactorization])
def test_ids_without_a_row_are_answered_as_unknown(kind, tmp_path):
    model, _ = _compact(kind)
    (name,) = model.output_names
    strange = np.array([-1, 400, 401, 10**6, 5], "int32")
    known = np.where(np.arange(5) < 4, 0, strange).astype("int32")
    items = np.arange(5, dtype="int32")
    folder = export_for_serving(model, tmp_path)
    np.testing.assert_array_equal(
        _serve(folder, {"user": strange, "item": items})[name],
        _serve(folder, {"user": known, "item": items})[name],
    )
    bare = export_for_serving(model, tmp_path, version=2, unknown_row=None)
    with pytest.raises(tf.errors.InvalidArgumentError):
        _serve(bare, {"user": strange, "item": items})
    other = export_for_serving(model, tmp_path, version=4, unknown_row=7)
    np.testing.assert_array_equal(
        _serve(other, {"user": strange[:1], "item": items[:1]})[name],
        _serve(other, {"user": items[:1] + 7, "item": items[:1]})[name],
    )


def test_never_overwrites_a_version(tmp_path):
    model, _ = _compact(MatrixFactorization)
    folder = export_for_serving(model, tmp_path)
    before = (folder / "saved_model.pb").read_bytes()
    with pytest.raises(ValueError, match="never overwritten"):
        export_for_serving(model, tmp_path, version=1)
    assert (folder / "saved_model.pb").read_bytes() == before
    export_for_serving(model, tmp_path, version=9)
    # The next one, whichever that is.
    assert export_for_serving(model, tmp_path).name == "10"
    assert {path.name for path in tmp_path.iterdir()} == {"1", "9", "10"}


def test_a_failed_export_leaves_nothing(tmp_path, monkeypatch):
    model, _ = _compact(MatrixFactorization)
    save = tf.saved_model.save

    def fail(*args, **kwargs):
        save(*args, **kwargs)
        raise OSError("disk full")

    monkeypatch.setattr(tf.saved_model, "save", fail)
    with pytest.raises(OSError, match="disk full"):
        export_for_serving(model, tmp_path)
    assert not list(tmp_path.iterdir())
    monkeypatch.undo()
    # What a killed export has left behind is in nobody's way.
    (tmp_path / ".1.tmp").mkdir()
    export_for_serving(model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["1"]


def test_needs_no_custom_operations(tmp_path):
    model, _ = _compact(NeuMF, "mask")
    folder = export_for_serving(model, tmp_path)
    saved = saved_model_pb2.SavedModel.FromString(
        (folder / "saved_model.pb").read_bytes()
    )
    for graph in saved.meta_graphs:
        ops = stripped_op_list_for_graph(graph.graph_def).op
        used = {op.name for op in ops}
        assert "MatMul" in used
        assert not any("Py" in name or "Custom" in name for name in used)
        # What TensorFlow itself has, and nothing registered later.
        assert all(hasattr(tf.raw_ops, name) for name in used)


@pytest.mark.parametrize(
    "make", [foreign_models.functional, foreign_models.nested]
)
def test_foreign_models(make, tmp_path):
    model = make()
    tables = {n: table_values(t) for n, t in find_tables(model).items()}
    small, _ = compact(model, threshold_assignment(tables, 0.5, "prefix"))
    folder = export_for_serving(small, tmp_path)
    ids = foreign_models.IDS
    expected = small(ids)
    if make is foreign_models.functional:
        ids = {**ids, "user": ids["user"][:, None]}
    served = _serve(folder, ids)
    assert list(served) == ["output"]
    np.testing.assert_allclose(served["output"], expected, rtol=1e-6)


def test_lists_of_inputs_and_outputs_keep_their_names(tmp_path):
    first = keras.Input((1,), name="first")
    second = keras.Input((2,), name="second")
    rows = keras.layers.Embedding(5, 3, name="rows")(first)
    sums = keras.layers.Dense(2, name="sums")(second)
    model = keras.Model([first, second], [rows, sums])
    folder = export_for_serving(model, tmp_path)
    inputs = {
        "first": np.array([[1], [9]], "int32"),
        "second": np.ones((2, 2), "float32"),
    }
    served = _serve(folder, inputs)
    assert set(served) == {"rows", "sums"}
    expected = model([np.array([[1], [0]]), np.ones((2, 2))])
    np.testing.assert_allclose(served["rows"], expected[0])
    np.testing.assert_allclose(served["sums"], expected[1], rtol=1e-6)


def test_sequential_model(tmp_path):
    model = foreign_models.sequential()
    folder = export_for_serving(model, tmp_path)
    name = model.inputs[0]._keras_history.operation.name
    served = _serve(folder, {name: np.array([0, 2], "int32")})
    np.testing.assert_allclose(
        served["output"], model(np.array([0, 2])), rtol=1e-6
    )


def test_subclassed_model_needs_its_signature(tmp_path):
    model = foreign_models.subclassed()
    with pytest.raises(ValueError, match="`input_signature` must be given"):
        export_for_serving(model, tmp_path, unknown_row=None)
    signature = {
        name: keras.InputSpec(dtype="int32", shape=(None,))
        for name in ("user", "item")
    }
    with pytest.raises(ValueError, match="`unknown_row` can only"):
        export_for_serving(model, tmp_path, input_signature=signature)
    folder = export_for_serving(
        model, tmp_path, input_signature=signature, unknown_row=None
    )
    served = _serve(folder, foreign_models.IDS)
    np.testing.assert_allclose(
        served["output"], model(foreign_models.IDS), rtol=1e-6
    )


def test_refuses_wrong_arguments(tmp_path):
    model, _ = _compact(MatrixFactorization)
    for version in (0, -1, 1.5, "1", True):
        with pytest.raises(ValueError, match="`version` must be a positive"):
            export_for_serving(model, tmp_path, version=version)
    for row in (-1, 150):
        with pytest.raises(ValueError, match="`unknown_row` must be a row"):
            export_for_serving(model, tmp_path, unknown_row=row)
    with pytest.raises(ValueError, match="`model` must be built"):
        export_for_serving(keras.Sequential(), tmp_path)


def _run_in_c(program, folder, *requests):
    """Numbers of several requests in one session, one after the other."""
    with CServer(program, folder) as server:
        answers = [
            min(
                server.predict(
                    name,
                    {
                        key: np.array(ids, "int32")
                        for key, ids in ids_of.items()
                    },
                ).items()
            )[1]
            for name, ids_of in requests
        ]
    return np.concatenate([answer.ravel() for answer in answers])


def _predict_in_c(program, folder, inputs):
    return _run_in_c(program, folder, ("serving_default", inputs))


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("kind", [MatrixFactorization, NeuMF])
def test_a_c_program_gets_the_same_numbers(
    kind, structure, tmp_path, c_program
):
    model, _ = _compact(kind, structure)
    folder = export_for_serving(model, tmp_path / "here")
    moved = tmp_path / "elsewhere" / "1"
    moved.parent.mkdir()
    folder.rename(moved)
    served = _predict_in_c(c_program, moved, _ids())
    expected = np.asarray(model(_ids()))[:, 0]
    np.testing.assert_allclose(served, expected, rtol=1e-6, atol=1e-7)


def test_a_c_program_may_ask_for_unknown_ids(tmp_path, c_program):
    model, _ = _compact(MatrixFactorization)
    folder = export_for_serving(model, tmp_path)
    served = _predict_in_c(
        c_program, folder, {"user": [-5, 10**6, 0], "item": [3, 3, 3]}
    )
    assert served[0] == served[1] == served[2]


@pytest.mark.parametrize("shared", [False, True])
def test_a_c_program_asks_a_model_of_many_fields(shared, tmp_path, c_program):
    keras.utils.set_random_seed(0)
    fields = {"user": 40, "item": 30, "hour": 5}
    model = DeepFM.from_sizes(
        fields=fields, embedding_dim=6, shared=shared, hidden_units=(8,)
    )
    # Linear weights start at zero, and would hide a wrong row.
    for variable in model.trainable_variables:
        variable.assign(variable + keras.random.normal(variable.shape))
    tables = {n: table_values(t) for n, t in find_tables(model).items()}
    small, _ = compact(model, threshold_assignment(tables, 0.5, "prefix"))
    folder = export_for_serving(small, tmp_path)
    inputs = {"user": [1, 39, 7], "item": [2, 0, 29], "hour": [0, 4, 1]}
    served = _predict_in_c(c_program, folder, inputs)
    arrays = {name: np.array(ids) for name, ids in inputs.items()}
    expected = np.asarray(model(arrays))[:, 0]
    masked = np.asarray(small(arrays))[:, 0]
    np.testing.assert_allclose(served, masked, rtol=1e-5, atol=1e-5)
    assert np.abs(served - expected).max() > 1e-3
    # The first row behind a field is the next field's, were it not guarded.
    unknown = {"user": [40, -1, 0], "item": [3, 3, 3], "hour": [99, 5, 0]}
    served = _predict_in_c(c_program, folder, unknown)
    assert served[0] == served[1] == served[2]


def test_zero_sized_tables_are_served(tmp_path):
    model = MatrixFactorization.from_sizes(users=20, items=10, embedding_dim=4)
    small, _ = compact(
        model, SizeAssignment.uniform({"user": (20, 4), "item": (10, 4)}, 0)
    )
    folder = export_for_serving(small, tmp_path)
    served = _serve(folder, _ids(5, 20, 10))
    np.testing.assert_allclose(
        served["rating"], small(_ids(5, 20, 10)), rtol=1e-6
    )


@pytest.fixture(scope="module")
def counting():
    """A model whose tables have seen a stream, and its export."""
    keras.utils.set_random_seed(0)
    model = StreamingDLRS(
        {
            name: SoftSizeEmbedding(
                MultiSizeEmbedding(20, [2, 4], name=f"{name}_candidates"),
                PopularityController(2, hidden_units=8, momentum=0.5),
                name=f"{name}_table",
            )
            for name in ("user", "item")
        },
        hidden_units=8,
    )
    model.compile(keras.optimizers.Adam(0.1), loss="mse")
    rng = np.random.default_rng(0)
    ids = {n: rng.integers(1, 15, 400).astype("int32") for n in model.tables}
    train_on_stream(model, StreamBatches(ids, rng.random(400), batch_size=20))
    # As trained by a search: sizes are weighed differently by popularity.
    for table in model.tables.values():
        kernel = table.controller.logits.kernel
        kernel.assign(rng.normal(size=kernel.shape))
    return model


_ASKED = {
    "user": np.array([3, 16, 3], "int32"),
    "item": np.array([2, 2, 17], "int32"),
}


def test_popularity_can_be_observed_and_given(counting, tmp_path):
    before = np.asarray(counting(_ASKED))
    counts = {
        name: counting.tables[name].counter.counts.numpy() for name in _ASKED
    }
    folder = export_for_serving(counting, tmp_path)
    loaded = tf.saved_model.load(str(folder))
    assert set(loaded.signatures) == {
        "serving_default",
        "observe",
        "serve_popularity",
    }
    asked = {name: tf.constant(ids) for name, ids in _ASKED.items()}

    def predict():
        return loaded.signatures["serving_default"](**asked)["output"].numpy()

    np.testing.assert_allclose(predict(), before, rtol=1e-5)
    given = loaded.signatures["serve_popularity"]
    own = {
        f"{name}_popularity": tf.constant(counts[name][ids])
        for name, ids in _ASKED.items()
    }
    np.testing.assert_allclose(
        given(**asked, **own)["output"], before, rtol=1e-5
    )
    other = {name: value + 1000 for name, value in own.items()}
    changed = given(**asked, **other)["output"].numpy()
    assert np.abs(changed - before).max() > 1e-4
    np.testing.assert_allclose(predict(), before, rtol=1e-5)
    for times in (1, 2):
        seen = loaded.signatures["observe"](**asked)
        for name, ids in _ASKED.items():
            rise = times * np.bincount(ids, minlength=20)
            np.testing.assert_array_equal(
                seen[f"{name}_popularity"], (counts[name] + rise)[ids]
            )
    for name, ids in _ASKED.items():
        counting.tables[name].observe(ids)
        counting.tables[name].observe(ids)
    after = np.asarray(counting(_ASKED))
    assert np.abs(after - before).max() > 1e-4
    np.testing.assert_allclose(predict(), after, rtol=1e-5)


def test_a_c_program_observes_and_predictions_follow(
    counting, tmp_path, c_program
):
    folder = export_for_serving(counting, tmp_path)
    count = counting.tables["item"].counter.counts.numpy()
    before = np.asarray(counting(_ASKED))[:, 0]
    answers = _run_in_c(
        c_program,
        folder,
        ("serving_default", _ASKED),
        ("observe", _ASKED),
        ("serving_default", _ASKED),
    ).reshape(3, 3)
    np.testing.assert_allclose(answers[0], before, rtol=1e-5)
    rise = np.bincount(_ASKED["item"], minlength=20)
    np.testing.assert_array_equal(answers[1], (count + rise)[_ASKED["item"]])
    for name, ids in _ASKED.items():
        counting.tables[name].observe(ids)
    after = np.asarray(counting(_ASKED))[:, 0]
    assert np.abs(after - before).max() > 1e-5
    np.testing.assert_allclose(answers[2], after, rtol=1e-5)
