import keras
import numpy as np
import pytest

from keras_emb import AutoEmb, StreamBatches
from keras_emb.compression import SizeAssignment, compact, memory_report
from keras_emb.layers import find_tables
from keras_emb.search.autoemb import Regrowth
from keras_emb.training import apply_assignment, train_on_stream
from keras_emb.zoo import StreamingDLRS

DIMS = [1, 4, 16]
ROWS = {"user": 160, "item": 40}
SHARE, BATCH, FIRST = 0.5, 50, 10


def _stream():
    """Users in blocks, as in time; items that come again and again."""
    rng = np.random.default_rng(0)
    ids = {
        "user": (np.arange(1000) // 7).astype("int32") + 1,
        "item": rng.integers(1, 40, 1000).astype("int32"),
    }
    label = (ids["user"] + ids["item"]) % 2
    return StreamBatches(ids, label.astype("float32"), batch_size=BATCH)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("search")


@pytest.fixture
def cut(folder):
    keras.utils.set_random_seed(0)
    backbone = StreamingDLRS.from_sizes(
        users=ROWS["user"],
        items=ROWS["item"],
        embedding_dim=16,
        hidden_units=8,
    )
    search = AutoEmb(
        SHARE,
        dims=DIMS,
        controller_options={"hidden_units": 8, "popularity_dim": 4},
    )
    # Searched once, and resumed at its end for every other test.
    search.fit(backbone, _stream(), steps=FIRST, checkpoint_dir=folder)
    # Nearly all of the memory is with users who will not come back.
    users = np.where((np.arange(ROWS["user"]) - 1) < 40, DIMS[2], DIMS[0])
    sizes = SizeAssignment.from_sizes(
        {"user": users, "item": np.full(ROWS["item"], DIMS[1])}, 16
    )
    return search, apply_assignment(search.model, sizes)


def _inputs(batch):
    rows = slice(batch * BATCH, (batch + 1) * BATCH)
    return {name: ids[rows] for name, ids in _stream().features.items()}


def test_ids_grow_before_they_are_learnt_and_nothing_else_moves(cut):
    search, model = cut
    regrowth = Regrowth(search, model, _stream(), SHARE, half_life=2.0)
    before, answer = regrowth.assignment, model(_inputs(FIRST)).numpy()
    regrowth.before(FIRST)
    after = regrowth.assignment
    new = np.unique(_inputs(FIRST)["user"])[1:]
    assert (before.sizes("user")[new] == DIMS[0]).all()
    assert (after.sizes("user")[new] > DIMS[0]).all()
    np.testing.assert_allclose(model(_inputs(FIRST)), answer, rtol=1e-5)
    for name, ids in _stream().features.items():
        seen = np.unique(ids[(FIRST - 1) * BATCH : (FIRST + 1) * BATCH])
        others = np.delete(np.arange(ROWS[name]), seen)
        assert (after.sizes(name)[seen] >= before.sizes(name)[seen]).all()
        moved = after.sizes(name) != before.sizes(name)
        assert (after.sizes(name)[others][moved[others]] == DIMS[0]).all()


def test_what_comes_later_decides_nothing(cut):
    search, model = cut
    stream = _stream()
    blind = StreamBatches(
        {
            name: np.where(np.arange(1000) < (FIRST + 2) * BATCH, ids, 0)
            for name, ids in stream.features.items()
        },
        stream.label * 0,
        batch_size=BATCH,
    )
    weights = {n: t.get_weights() for n, t in find_tables(search.soft).items()}
    start = [weight.numpy() for weight in model.weights]
    found = []
    for batches in (stream, blind):
        for name, table in find_tables(search.soft).items():
            table.set_weights(weights[name])
        for weight, value in zip(model.weights, start, strict=True):
            weight.assign(value)
        regrowth = Regrowth(search, model, batches, SHARE)
        for step in (FIRST, FIRST + 1):
            regrowth.before(step)
        found.append(regrowth.assignment.tables)
    assert found[0] == found[1]


@pytest.mark.parametrize("every", [1, 3])
def test_the_budget_holds_at_every_moment(cut, every):
    search, model = cut
    model.compile("adam", loss="mse")
    stream = _stream()
    rest = StreamBatches(
        {k: v[FIRST * BATCH :] for k, v in stream.features.items()},
        stream.label[FIRST * BATCH :],
        batch_size=BATCH,
    )
    regrowth = Regrowth(search, model, stream, SHARE, every=every)
    limit = SHARE * 16 * 4 * sum(ROWS.values())
    maps = memory_report(model).projections
    used, sizes = [], [regrowth.assignment]

    def resize(step, logs):
        regrowth.before(FIRST + step)
        used.append(regrowth.assignment.memory_bytes() + maps)
        sizes.append(regrowth.assignment)

    told = keras.callbacks.LambdaCallback(on_train_batch_begin=resize)
    train_on_stream(model, rest, steps_per_call=every, callbacks=[told])
    assert max(used) <= limit
    assert len({tuple(s.sizes("user")) for s in sizes}) > 2
    assert (sizes[-1].sizes("user") < sizes[0].sizes("user")).any()
    final = regrowth.assignment
    small, report = compact(model, final)
    tables = report.after
    assert tables.values + tables.index + tables.projections == used[-1]
    np.testing.assert_allclose(
        small(_inputs(FIRST)), model(_inputs(FIRST)), rtol=1e-5, atol=1e-6
    )


@pytest.mark.parametrize("name", ["every", "half_life"])
def test_refuses_what_is_out_of_range(cut, name):
    search, model = cut
    with pytest.raises(ValueError, match=f"`{name}` must be positive"):
        Regrowth(search, model, _stream(), SHARE, **{name: 0})


def test_refuses_a_model_without_sizes(cut):
    search, _ = cut
    with pytest.raises(ValueError, match="must hold tables with sizes"):
        Regrowth(search, search.model, _stream(), SHARE)
