import keras
import numpy as np
import pytest

from keras_emb.datasets import (
    Clicks,
    ImplicitInteractions,
    Interactions,
    synthetic,
)
from keras_emb.layers import (
    FieldSizeEmbedding,
    GumbelSelection,
    MultiSizeEmbedding,
)
from keras_emb.search import AutoDim
from keras_emb.search.autodim import field_sizes, gumbel_temperature
from keras_emb.training import OBJECTIVES, TrainingRecipe, retrain
from keras_emb.zoo import DeepFM, NeuMF
from tests.testing import run_layer_test

FIELDS = {"user": 40, "item": 30, "noise": 20}
CANDIDATES = np.random.default_rng(0).normal(size=(5, 3, 4)).astype("float32")


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    codes = {
        name: random.integers(0, rows, 3000).astype("int32")
        for name, rows in FIELDS.items()
    }
    logit = sum(
        random.normal(scale=2, size=FIELDS[name])[codes[name]]
        for name in ("user", "item")
    )
    label = random.random(3000) < 1 / (1 + np.exp(-logit))
    clicks = Clicks(
        codes,
        {name: np.arange(rows) for name, rows in FIELDS.items()},
        label.astype("float32"),
    )
    return Interactions.from_clicks(clicks)


def backbone(data):
    keras.utils.set_random_seed(0)
    return DeepFM.from_sizes(
        fields={name: len(v) for name, v in data.vocabularies.items()},
        embedding_dim=8,
        hidden_units=(8,),
    )


def make(**changes):
    return AutoDim(
        0.6,
        **{
            "dims": [2, 8],
            "recipe": TrainingRecipe(learning_rate=0.02, batch_size=32),
            "search_epochs": 6,
            "selection_learning_rate": 0.05,
            "objective": OBJECTIVES["click"],
            **changes,
        },
    )


@pytest.fixture(scope="module")
def search(data):
    found = make()
    found.sizes = found.fit(backbone(data), data)
    return found


def test_layers():
    keras.utils.set_random_seed(0)
    run_layer_test(
        lambda **kwargs: FixedField(num_fields=2, num_sizes=3, **kwargs),
        CANDIDATES,
        expected_shape=(5, 4),
    )
    run_layer_test(
        lambda **kwargs: FieldSizeEmbedding(
            MultiSizeEmbedding(9, [2, 4], activation=None, **kwargs),
            GumbelSelection(2, 2, **kwargs),
            field=1,
            **kwargs,
        ),
        np.arange(6),
        expected_shape=(6, 4),
        table=lambda layer: layer.candidates.embeddings,
    )


@keras.saving.register_keras_serializable(package="tests")
class FixedField(GumbelSelection):
    """With a field, so that it can be called with an array alone."""

    def call(self, candidates, field=1, training=None):
        return super().call(candidates, field, training)

    def compute_output_spec(self, candidates, field=1, training=None):
        return super().compute_output_spec(candidates, field, training)


def test_draws_are_gumbel_softmax():
    layer = GumbelSelection(num_fields=1, num_sizes=3, seed=0)
    alpha = np.array([0.2, 0.5, 0.3])
    layer.logits.assign(np.log(alpha)[None] + 7.0)
    plain = np.einsum("bnd,n->bd", CANDIDATES, alpha)
    np.testing.assert_allclose(layer(CANDIDATES, field=0), plain, rtol=1e-5)
    ones = np.eye(3, dtype="float32")[None]
    # Cold draws are the candidates themselves, as often as alpha says.
    layer.temperature.assign(0.01)
    draws = np.concatenate(
        [layer(ones, field=0, training=True) for _ in range(600)]
    )
    assert (draws.max(axis=1) > 0.9).mean() > 0.95
    np.testing.assert_allclose(
        np.bincount(draws.argmax(axis=1)) / 600, alpha, atol=0.06
    )
    layer.temperature.assign(100.0)
    np.testing.assert_allclose(
        layer(ones, field=0, training=True)[0], np.full(3, 1 / 3), atol=0.05
    )


def test_temperature_falls_to_its_floor():
    for step in (0.0, 5000.0, 19_800.0, 1e6):
        np.testing.assert_allclose(
            float(gumbel_temperature(step)),
            max(0.01, 1 - 0.00005 * step),
            rtol=1e-4,
        )


def test_sizes_are_the_likeliest_that_fit():
    random = np.random.default_rng(3)
    dims, rows = [2, 4, 8], [50, 10, 20]
    for _ in range(20):
        weights = random.dirichlet(np.ones(3), size=3)
        likeliest = [dims[place] for place in weights.argmax(axis=1)]
        assert field_sizes(weights, dims, rows, 10**6) == likeliest
        for most in (160, 250, 400):
            found = field_sizes(weights, dims, rows, most)
            assert np.dot(found, rows) <= most
            assert all(a <= b for a, b in zip(found, likeliest, strict=True))
    with pytest.raises(ValueError, match="smallest candidate of every field"):
        field_sizes(weights, dims, rows, 159)


def test_each_field_gets_one_size_within_the_budget(search, data):
    assert search.sizes.kept_share <= 0.6
    for name in FIELDS:
        assert len(set(search.sizes.sizes(name))) == 1
        assert set(search.sizes.sizes(name)) <= {2, 8}
    assert search.assign(1.0).kept_share >= search.sizes.kept_share
    tight = search.assign(0.26)
    assert all((tight.sizes(name) == 2).all() for name in FIELDS)
    assert search.assign(4000).memory_bytes() <= 4000
    model, record = retrain(
        backbone(data),
        search.sizes,
        data,
        TrainingRecipe(learning_rate=0.02, batch_size=128, max_epochs=3),
        objective=OBJECTIVES["click"],
        start="scratch",
    )
    assert record.best["auc"] > 0.8


def test_the_weights_learn_and_all_else_does(search):
    moved = np.stack(list(search.weights.values()))
    assert np.abs(moved - 0.5).max() > 0.01
    np.testing.assert_allclose(moved.sum(axis=1), 1, rtol=1e-5)
    history = search.trace.history
    assert min(e["logloss"] for e in history[1:]) < history[0]["logloss"]


def test_an_interrupted_search_ends_the_same(search, data, tmp_path):
    class Interrupted(Exception):
        pass

    def interrupt(epoch, logs):
        if epoch == 4:
            raise Interrupted

    told = [keras.callbacks.LambdaCallback(on_epoch_end=interrupt)]
    kept = {"checkpoint_dir": tmp_path, "checkpoint_seconds": 0}
    with pytest.raises(Interrupted):
        make().fit(backbone(data), data, callbacks=told, **kept)
    again = make()
    again.fit(backbone(data), data, **kept)
    for name, weights in search.weights.items():
        np.testing.assert_array_equal(again.weights[name], weights)


def test_what_does_not_fit_is_refused(data):
    with pytest.raises(ValueError, match="`dims` must fit into every table"):
        make(dims=[2, 16]).fit(backbone(data), data)
    with pytest.raises(ValueError, match="must not be negative"):
        make(search_epochs=-1)
    with pytest.raises(ValueError, match="`activation` must be"):
        MultiSizeEmbedding(3, [2], activation="relu")
    with pytest.raises(ValueError, match="as many sizes as"):
        FieldSizeEmbedding(MultiSizeEmbedding(3, [2]), GumbelSelection(1, 2), 0)


def test_keras_own_tables_are_searched(data):
    ids = {n: keras.Input((), dtype="int32", name=n) for n in ("user", "item")}
    rows = [
        keras.layers.Embedding(len(data.vocabularies[n]), 8, name=f"{n}_rows")(
            i
        )
        for n, i in ids.items()
    ]
    model = keras.Model(ids, keras.layers.Dense(1)(keras.layers.Dot(1)(rows)))
    sizes = make(search_epochs=1).fit(model, data)
    assert sorted(sizes.tables) == ["item_rows", "user_rows"]


def test_lists_are_learnt_from_positives_against_others():
    planted = synthetic(num_users=60, num_items=40, num_ratings=1100).ratings
    data = ImplicitInteractions.leave_one_out(planted, num_candidates=10)
    keras.utils.set_random_seed(0)
    model = NeuMF.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=10,
    )
    search = make(dims=[1, 2], objective=OBJECTIVES["top_k"], search_epochs=2)
    assert search.fit(model, data).kept_share <= 0.6
    assert search.trace.best["epoch"] > 0
    assert 0 < search.trace.best["sampled_ndcg@10"] < 1
