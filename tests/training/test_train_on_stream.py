import importlib
import signal
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_emb.datasets import GrowingVocabulary
from keras_emb.layers import DenseEmbedding, SoftSizeEmbedding
from keras_emb.training import (
    Checkpoint,
    StreamBatches,
    StreamRunner,
    train_on_stream,
)
from keras_emb.training.model_state import load_state, state_arrays
from keras_emb.zoo import MatrixFactorization, StreamingDLRS
from tests.testing import save_and_load
from tests.training.streams import (
    ITEMS,
    USERS,
    interactions,
    make_batches,
    make_bilevel,
    observed_state,
)


@pytest.fixture(scope="module")
def traced_once():
    """Lets the tests below share the traced steps of a model."""
    module = importlib.import_module("keras_emb.training.train_on_stream")
    runners = {}

    def runner(model, jit_compile=False):
        if id(model) not in runners:
            runners[id(model)] = StreamRunner(model, jit_compile)
        return runners[id(model)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "StreamRunner", runner)
        yield


@pytest.fixture(scope="module")
def shared(traced_once):
    model = make_bilevel()
    return model, state_arrays(model)


@pytest.fixture
def model(shared):
    """A model that has seen nothing yet."""
    model, start = shared
    load_state(model, start)
    return model


@pytest.fixture(scope="module")
def shared_plain(traced_once):
    model = make_plain()
    model.optimizer.build(model.trainable_variables)
    return model, state_arrays(model)


@pytest.fixture
def plain(shared_plain):
    """A model that knows nothing of streams and has seen nothing yet."""
    model, start = shared_plain
    load_state(model, start)
    return model


@pytest.fixture(scope="module")
def whole_plain(shared_plain):
    """Predictions of one run of it from end to end."""
    model, start = shared_plain
    load_state(model, start)
    return train_on_stream(model, make_batches()).predictions


@pytest.fixture(scope="module")
def whole(shared):
    """Predictions and final state of one run from end to end."""
    model, start = shared
    load_state(model, start)
    record = train_on_stream(model, make_batches())
    return record.predictions, state_arrays(model)


def make_plain(**kwargs):
    keras.utils.set_random_seed(0)
    model = MatrixFactorization.from_sizes(
        users=USERS, items=ITEMS, embedding_dim=3
    )
    model.compile(keras.optimizers.Adam(0.05), loss="mse", **kwargs)
    return model


def assert_same_state(model, expected):
    found = state_arrays(model)
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_array_equal(found[name], value, err_msg=name)


def by_hand(model, batches, has_past=False):
    """AutoEmb's steps one after the other, eagerly."""
    predictions = []
    loss = keras.losses.get(model.loss)
    for step in range(batches.num_batches):
        data = keras.tree.map_structure(
            lambda array: array[0], batches.stack(step, 1)
        )
        x, y = data
        if step or has_past:
            model.outer_step(data)
        predictions.append(model.model(x["inner"], training=False).numpy())
        model.inner_step(data)
        for side, table in model.model.tables.items():
            each = None
            if "last_loss" in table.controller.inputs:
                # Of batches of one, which have no other loss to mix with.
                each = [
                    np.ravel(loss(label[None, None], row[None]))[0]
                    for label, row in zip(y, predictions[-1], strict=True)
                ]
            table.observe(x["inner"][side], each)
    return np.concatenate(predictions)


def test_each_batch_is_scored_between_the_two_steps(whole):
    model = make_bilevel()
    expected = by_hand(model, make_batches())
    predictions, state = whole
    assert predictions.shape == (40, 1)
    # A bias before a normalisation has no gradient but rounding, which
    # differs between eager and traced steps and which Adam blows up.
    np.testing.assert_allclose(predictions, expected, atol=1e-3)
    assert np.ptp(expected) > 1e-2
    ids, _ = interactions()
    for side, rows in (("user", USERS), ("item", ITEMS)):
        np.testing.assert_array_equal(
            model.model.tables[side].counter.counts.numpy(),
            np.bincount(ids[side], minlength=rows),
        )
    other_model = make_bilevel()
    load_state(other_model, state)
    for one, other in zip(
        observed_state(model), observed_state(other_model), strict=True
    ):
        np.testing.assert_allclose(one, other, atol=1e-2)


@pytest.mark.parametrize("instance", [False, True])
def test_the_last_loss_is_each_interactions_own(instance):
    loss = "sparse_categorical_crossentropy"
    if instance:
        loss = keras.losses.SparseCategoricalCrossentropy()
    batches = make_batches(24, classes=3)
    # A rate of nearly nothing: only the bookkeeping is compared.
    arguments = {
        "controller": "loss",
        "task": "multiclass",
        "loss": loss,
        "rate": 1e-6,
    }
    one, other = make_bilevel(**arguments), make_bilevel(**arguments)
    expected = by_hand(one, batches, has_past=True)
    assert expected.shape == (24, 3)
    found = StreamRunner(other).run(batches.stack(0, 3), has_past=True)
    np.testing.assert_allclose(found, expected, atol=1e-4)
    for left, right in zip(
        observed_state(one), observed_state(other), strict=True
    ):
        np.testing.assert_allclose(left, right, atol=1e-3)


@pytest.mark.parametrize("changed", [0, 2])
def test_a_label_never_reaches_an_earlier_prediction(model, whole, changed):
    ids, label = interactions()
    label[changed * 8 :] = 1 - label[changed * 8 :]
    record = train_on_stream(model, StreamBatches(ids, label, batch_size=8))
    until = (changed + 1) * 8
    np.testing.assert_array_equal(record.predictions[:until], whole[0][:until])
    after = slice(until, until + 8)
    assert (record.predictions[after] != whole[0][after]).any()


def test_the_first_batch_takes_no_outer_step(model):
    before = [v.numpy() for v in model.outer_variables]
    train_on_stream(model, make_batches(), steps=1)
    for old, new in zip(before, model.outer_variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())
    assert int(model.outer_optimizer.iterations.numpy()) == 0
    assert int(model.optimizer.iterations.numpy()) == 1


def test_every_later_batch_takes_one_step_of_each(model):
    calls = []
    told = keras.callbacks.LambdaCallback(
        on_train_batch_begin=lambda step, logs: calls.append(step),
        on_train_batch_end=lambda step, logs: calls.append((step, *logs)),
    )
    train_on_stream(model, make_batches(), steps_per_call=3, callbacks=[told])
    names = ("loss", "outer_loss")
    assert calls == [0, (0, *names), 1, (3, *names), 4, (4, *names)]
    assert int(model.outer_optimizer.iterations.numpy()) == 4
    assert int(model.optimizer.iterations.numpy()) == 5


def test_calls_of_any_length_train_the_same(model, whole):
    record = train_on_stream(model, make_batches(), steps_per_call=1)
    np.testing.assert_array_equal(record.predictions, whole[0])
    assert_same_state(model, whole[1])


_KILLED = """
import os
import signal
import sys

from keras_emb.training import train_on_stream
from tests.training.streams import make_batches, make_bilevel

saved = []

def fsync(file):
    saved.append(file)
    if len(saved) == 3:
        os.kill(os.getpid(), signal.SIGKILL)

os.fsync = fsync
train_on_stream(
    make_bilevel(),
    make_batches(),
    steps_per_call=1,
    checkpoint=sys.argv[1],
    checkpoint_seconds=0.0,
)
"""


def test_a_killed_run_ends_as_if_it_had_not_been(
    model, whole, tmp_path, request
):
    path = tmp_path / "state.npz"
    done = subprocess.run(
        [sys.executable, "-c", _KILLED, str(path)],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
    )
    assert done.returncode == -signal.SIGKILL, done.stderr[-3000:]
    # Killed while it wrote the third state: the second one is there.
    arrays, values = Checkpoint(path).load()
    assert values["step"] == 2
    np.testing.assert_array_equal(arrays["predictions"], whole[0][:16])
    # Whatever the model holds when it resumes must not matter.
    for variable in model.trainable_variables:
        variable.assign(variable + 1.0)
    record = train_on_stream(model, make_batches(), checkpoint=path)
    assert record.steps == 5
    assert record.seconds > values["seconds"]
    np.testing.assert_array_equal(record.predictions, whole[0])
    assert_same_state(model, whole[1])


@pytest.mark.parametrize("dropout", [False, True])
def test_a_plain_model_goes_on_with_all_its_state(tmp_path, dropout):
    def make():
        keras.utils.set_random_seed(0)
        if not dropout:
            return make_plain()
        user = keras.Input((), dtype="int32", name="user")
        item = keras.Input((), dtype="int32", name="item")
        rows = keras.layers.Concatenate()(
            [
                keras.layers.Embedding(USERS, 3, name="user_table")(user),
                DenseEmbedding(ITEMS, 3, name="item_table")(item),
            ]
        )
        output = keras.layers.Dense(1)(keras.layers.Dropout(0.5)(rows))
        model = keras.Model({"user": user, "item": item}, output)
        model.compile(keras.optimizers.Adam(0.05), loss="mse")
        return model

    one, other = make(), make()
    expected = train_on_stream(one, make_batches())
    path = tmp_path / "state.npz"
    train_on_stream(other, make_batches(), steps=3, checkpoint=path)
    resumed = make()
    record = train_on_stream(resumed, make_batches(), checkpoint=path)
    np.testing.assert_array_equal(record.predictions, expected.predictions)
    assert_same_state(resumed, state_arrays(one))


def test_a_plain_model_is_scored_before_it_learns(whole_plain):
    batches = make_batches()
    other = make_plain()
    expected = []
    for step in range(5):
        x, y = batches.stack(step, 1)
        ids = {name: rows[0] for name, rows in x["inner"].items()}
        expected.append(other(ids, training=False))
        other.train_step((ids, y[0]))
    np.testing.assert_allclose(whole_plain, np.concatenate(expected), atol=1e-6)


@pytest.mark.parametrize("bad", ["too large", "negative", "nan"])
def test_bad_rows_are_named_and_the_checkpoint_stays(
    plain, whole_plain, tmp_path, bad
):
    path = tmp_path / "state.npz"
    ids, label = interactions()
    row = 3 * 8 + 5
    if bad == "nan":
        label[row] = np.nan
    else:
        ids["item"][row] = ITEMS if bad == "too large" else -1
    message = {
        "too large": "'item' must lie in 0..7.*Received: 8 in row 5 of batch 3",
        "negative": "'item' must lie in 0..7.*: -1 in row 5 of batch 3",
        "nan": "Labels must be finite.*nan in row 5 of batch 3",
    }[bad]
    with pytest.raises(ValueError, match=message):
        train_on_stream(
            plain,
            StreamBatches(ids, label, batch_size=8),
            steps_per_call=1,
            checkpoint=path,
            checkpoint_seconds=0.0,
        )
    assert Checkpoint(path).load()[1]["step"] == 3
    repaired = train_on_stream(plain, make_batches(), checkpoint=path)
    np.testing.assert_array_equal(repaired.predictions, whole_plain)


def test_a_diverged_stream_keeps_its_checkpoint(plain, tmp_path):
    path = tmp_path / "state.npz"
    train_on_stream(plain, make_batches(), steps=3, checkpoint=path)
    before = path.read_bytes()
    ids, label = interactions()
    label[3 * 8 :] = 3e38
    with pytest.raises(FloatingPointError, match="diverged"):
        train_on_stream(
            plain,
            StreamBatches(ids, label, batch_size=8),
            checkpoint=path,
            checkpoint_seconds=0.0,
        )
    assert path.read_bytes() == before


def test_another_models_checkpoint_is_refused(plain, tmp_path):
    path = tmp_path / "state.npz"
    train_on_stream(plain, make_batches(), steps=1, checkpoint=path)
    other = StreamingDLRS.from_sizes(
        users=USERS, items=ITEMS, embedding_dim=2, hidden_units=3
    )
    other.compile("adam", loss="mse")
    before = other.get_weights()
    with pytest.raises(ValueError, match="same tables, layers and optimizers"):
        train_on_stream(other, make_batches(), checkpoint=path)
    for old, new in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_another_optimizers_checkpoint_is_refused(tmp_path, optimizer):
    path = tmp_path / "state.npz"
    other = "adam" if optimizer == "sgd" else "sgd"
    for name in (optimizer, other):
        model = make_plain()
        model.compile(name, loss="mse")
        if name == optimizer:
            train_on_stream(model, make_batches(), steps=1, checkpoint=path)
    with pytest.raises(ValueError, match="same tables, layers and optimizers"):
        train_on_stream(model, make_batches(), checkpoint=path)


@pytest.mark.parametrize(
    "wrong", [{"steps": 0}, {"steps": 6}, {"steps_per_call": 0}]
)
def test_refuses_numbers_of_steps(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must"):
        train_on_stream(make_plain(), make_batches(), **wrong)


def test_new_ids_get_rows_in_mid_stream(model, tmp_path):
    path = tmp_path / "state.npz"
    random = np.random.default_rng(0)
    _, label = interactions()
    raw = {
        # Nobody above 900 is known in the first three batches.
        "user": np.append(
            random.integers(100, 105, 24), random.integers(901, 904, 16)
        ),
        "item": random.integers(50, 55, 40),
    }
    vocabularies = {
        "user": GrowingVocabulary(USERS),
        "item": GrowingVocabulary(ITEMS),
    }

    def batches(rows):
        ids = {k: v.add(raw[k][:rows]) for k, v in vocabularies.items()}
        return StreamBatches(ids, label[:rows], batch_size=8)

    train_on_stream(model, batches(24), checkpoint=path)
    table = model.model.tables["user"]
    known = len(vocabularies["user"])
    before = table.candidates.embeddings.numpy()
    assert not table.counter.counts.numpy()[known:].any()
    variables = [id(v) for v in model.variables]
    record = train_on_stream(model, batches(40), checkpoint=path)
    assert len(record.predictions) == 40
    assert variables == [id(v) for v in model.variables]
    new = vocabularies["user"].rows([901, 902, 903])
    assert (new >= known).all()
    np.testing.assert_array_equal(
        table.counter.counts.numpy()[new],
        [(raw["user"] == user).sum() for user in (901, 902, 903)],
    )
    after = table.candidates.embeddings.numpy()
    assert (after[new] != before[new]).any(axis=1).all()
    np.testing.assert_array_equal(after[max(new) + 1 :], before[max(new) + 1 :])


def test_saved_in_mid_stream_a_model_goes_on(model, whole):
    batches = make_batches()
    train_on_stream(model, batches, steps=3)
    loaded = save_and_load(model)
    tables = loaded.model.tables
    assert all(isinstance(t, SoftSizeEmbedding) for t in tables.values())
    predictions = StreamRunner(loaded).run(batches.stack(3, 2), has_past=True)
    np.testing.assert_array_equal(predictions, whole[0][24:])
    assert_same_state(loaded, whole[1])


def test_xla_predicts_the_same():
    batches = make_batches(24)
    predictions, states = [], []
    for jit_compile in (False, True):
        model = make_bilevel(rate=1e-3, controller="loss", decay=0.9)
        runner = StreamRunner(model, jit_compile)
        predictions.append(runner.run(batches.stack(0, 3), has_past=True))
        states.append(observed_state(model))
    np.testing.assert_allclose(*predictions, atol=1e-4)
    for one, other in zip(*states, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
