import keras
import numpy as np
import pytest

from keras_emb import AutoEmb, Budget, StreamBatches
from keras_emb.compression import memory_report
from keras_emb.layers import PopularityController, SizeLogits, find_tables
from keras_emb.training import apply_assignment, train_on_stream
from keras_emb.zoo import StreamingDLRS

DIMS = [2, 4, 16]
ROWS = {"user": 300, "item": 200}


def _stream(count=2000, batch_size=100):
    rng = np.random.default_rng(0)
    ids = {
        name: (rows ** rng.random(count)).astype("int32")
        for name, rows in ROWS.items()
    }
    label = ((ids["user"] + ids["item"]) % 2).astype("float32")
    return StreamBatches(ids, label, batch_size=batch_size)


def _backbone():
    keras.utils.set_random_seed(0)
    return StreamingDLRS.from_sizes(
        users=ROWS["user"],
        items=ROWS["item"],
        embedding_dim=16,
        hidden_units=16,
    )


def _search(**arguments):
    options = {"hidden_units": 16}
    if arguments.get("controller") == "logits":
        options = None
    return AutoEmb(
        arguments.pop("budget", 0.6),
        dims=DIMS,
        controller_options=options,
        learning_rate=0.01,
        controller_learning_rate=0.01,
        **arguments,
    )


@pytest.fixture(scope="module")
def whole():
    search = _search()
    return search, search.fit(_backbone(), _stream())


def test_finds_sizes_and_scores_every_interaction(whole):
    search, sizes = whole
    assert search.record.predictions.shape == (2000, 1)
    for name, rows in ROWS.items():
        assert set(sizes.sizes(name)) <= set(DIMS)
        assert len(sizes.sizes(name)) == rows
    assert len(np.unique(np.concatenate(list(map(sizes.sizes, ROWS))))) > 1
    for name, table in find_tables(search.soft).items():
        counts = np.bincount(_stream().features[name], minlength=ROWS[name])
        np.testing.assert_array_equal(table.counter.counts.numpy(), counts)


@pytest.mark.parametrize("budget", [0.9, 0.5, 0.35, Budget(num_bytes=15_000)])
def test_one_search_serves_every_budget_maps_and_index_counted(whole, budget):
    search, _ = whole
    sizes = search.assign(budget)
    maps = memory_report(search.model).projections
    assert maps == 2 * (16 * 16 + 16) * 4
    limit = (
        budget.num_bytes
        if isinstance(budget, Budget)
        else budget * sum(ROWS.values()) * 16 * 4
    )
    used = sizes.memory_bytes() + maps
    assert used <= limit
    if budget != 0.9:
        # Less is left than the widest row and the index may take.
        assert used > limit - 16 * 4 - 200


def test_an_impossible_budget_is_refused(whole):
    search, _ = whole
    with pytest.raises(ValueError, match="must allow the smallest size"):
        search.assign(0.15)


def test_the_same_seed_gives_the_same_search(whole):
    search, sizes = whole
    again = _search()
    assert again.fit(_backbone(), _stream()).tables == sizes.tables
    np.testing.assert_array_equal(
        again.record.predictions, search.record.predictions
    )


def test_an_initializer_draws_under_the_seed_and_anew_for_each_table():
    found = []
    for seed in (1, 2):
        keras.utils.set_random_seed(seed)
        search = _search(
            initializer=keras.initializers.RandomNormal(stddev=0.01)
        )
        search.train(_backbone(), _stream(), steps=1)
        found.append(
            [
                table.candidates.embeddings.numpy()
                for table in find_tables(search.soft).values()
            ]
        )
    for one, other in zip(*found, strict=True):
        np.testing.assert_array_equal(one, other)
    user, item = found[0]
    assert abs(np.corrcoef(user[:200].ravel(), item.ravel())[0, 1]) < 0.1


def test_an_interrupted_search_ends_the_same(whole, tmp_path):
    search, sizes = whole

    def stop(step, logs):
        if step > 0:
            raise KeyboardInterrupt

    told = [keras.callbacks.LambdaCallback(on_train_batch_end=stop)]

    arguments = {"checkpoint_dir": tmp_path, "checkpoint_seconds": 0.0}
    early = _search()
    early.train(_backbone(), _stream(), steps=7, **arguments)
    with pytest.raises(KeyboardInterrupt):
        _search().fit(_backbone(), _stream(), callbacks=told, **arguments)
    resumed = _search()
    assert resumed.fit(_backbone(), _stream(), **arguments).tables == (
        sizes.tables
    )
    np.testing.assert_array_equal(
        resumed.record.predictions, search.record.predictions
    )


def test_the_cut_model_goes_on_with_the_stream(whole):
    search, sizes = whole
    model = apply_assignment(search.model, sizes)
    model.compile("adam", loss="mse")
    record = train_on_stream(model, _stream(), steps=3)
    assert np.isfinite(record.predictions).all()
    for name, table in find_tables(model).items():
        shown = table.table.values() != 0
        assert (shown.sum(axis=1) <= sizes.sizes(name)).all()


@pytest.mark.parametrize(
    ("arguments", "controller", "outer"),
    [
        ({"bilevel": False}, PopularityController, False),
        ({"controller": "logits"}, SizeLogits, True),
        ({"hypergradient": "unrolled"}, PopularityController, True),
        ({"mode": "hard"}, PopularityController, True),
        ({"decay": 0.99}, PopularityController, True),
    ],
)
def test_variants_learn(arguments, controller, outer):
    search = _search(**arguments)
    search.train(_backbone(), _stream(), steps=4)
    for table in find_tables(search.soft).values():
        assert isinstance(table.controller, controller)
        # The first output layer starts from zeros or ones over the sizes.
        learnt = (
            table.controller.logits
            if controller is SizeLogits
            else table.controller.logits.kernel
        ).numpy()
        assert np.ptp(learnt) > 0
    assert search.record.steps == 4
