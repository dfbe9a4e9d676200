import dataclasses
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import BipartiteGraph
from keras_emb.training import (
    Checkpoint,
    PairwiseModel,
    PairwiseRecipe,
    PairwiseTrainer,
    TripletSampler,
)
from keras_emb.zoo import NGCF, LightGCN, MatrixFactorization, NeuMF

USERS, ITEMS, WIDTH = 30, 40, 5
RECIPE = PairwiseRecipe(
    learning_rate=0.05, batch_size=64, max_steps=20, validate_every=5
)
KINDS = [LightGCN, MatrixFactorization, NGCF, NeuMF]


def make_graph():
    """Users and items of two camps that hardly mix."""
    rng = np.random.default_rng(0)
    users, items = rng.integers(1, USERS, 400), rng.integers(1, ITEMS, 400)
    kept = (users % 2 == items % 2) | (rng.random(400) < 0.1)
    return BipartiteGraph.from_pairs(users[kept], items[kept], USERS, ITEMS)


GRAPH = make_graph()


def make(kind=MatrixFactorization, seed=0, **kwargs):
    keras.utils.set_random_seed(seed)
    if kind in (LightGCN, NGCF):
        return kind.from_graph(GRAPH, embedding_dim=WIDTH, **kwargs)
    return kind.from_sizes(
        users=USERS, items=ITEMS, embedding_dim=WIDTH, **kwargs
    )


def trainer(model, recipe=RECIPE, **changed):
    return PairwiseTrainer(model, GRAPH, dataclasses.replace(recipe, **changed))


def assert_same_weights(one, other):
    for found, expected in zip(
        one.get_weights(), other.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(found, expected)


def losses(record):
    return [entry["loss"] for entry in record.history[1:]]


def triplets(seed, count):
    return [np.asarray(x) for x in TripletSampler(GRAPH)(seed, count)]


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


@pytest.mark.parametrize("l2", [0.0, 0.3])
@pytest.mark.parametrize("reduction", ["mean", "sum"])
def test_a_step_against_numpy(reduction, l2):
    model = make(reduction=reduction)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    tables = {
        (name, part): model.get_layer(f"{name}_{part}").embeddings
        for name in ("user", "item")
        for part in ("table", "bias")
    }
    before = {key: value.numpy().astype(float) for key, value in tables.items()}
    mean = model.get_layer("rating").bias.numpy()
    pairwise = PairwiseModel(model, TripletSampler(GRAPH), 50, l2)
    pairwise.compile(keras.optimizers.SGD(1.0))
    logs = pairwise.train_step(tf.constant([[5, 2, 0]]))

    users, positives, negatives = triplets([5, 2, 0], 50)
    p, q = before["user", "table"], before["item", "table"]
    scale = 1 / WIDTH if reduction == "mean" else 1.0
    bias = before["item", "bias"][:, 0]
    margin = (
        (p[users] * (q[positives] - q[negatives])).sum(1) * scale
        + bias[positives]
        - bias[negatives]
    )
    gradients = {key: np.zeros_like(value) for key, value in before.items()}
    for user, good, bad, slope in zip(
        users, positives, negatives, -sigmoid(-margin) / 50, strict=True
    ):
        gradients["user", "table"][user] += slope * scale * (q[good] - q[bad])
        gradients["item", "table"][good] += slope * scale * p[user]
        gradients["item", "table"][bad] -= slope * scale * p[user]
        gradients["item", "bias"][good] += slope
        gradients["item", "bias"][bad] -= slope
        # Each row of the triplet once, the user's too.
        gradients["user", "table"][user] += 2 * l2 / 50 * p[user]
        gradients["item", "table"][good] += 2 * l2 / 50 * q[good]
        gradients["item", "table"][bad] += 2 * l2 / 50 * q[bad]
    for key, value in tables.items():
        np.testing.assert_allclose(
            value, before[key] - gradients[key], atol=1e-5
        )
    # What both items share says nothing of their order.
    np.testing.assert_allclose(model.get_layer("rating").bias, mean, atol=1e-6)
    expected = np.mean(np.log1p(np.exp(-margin)))
    assert float(logs["loss"]) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("kind", KINDS)
def test_a_step_of_any_backbone_follows_the_gradient(kind):
    dropout = {"node_dropout": 0.0, "message_dropout": 0.0}
    kwargs = dropout if kind is NGCF else {}
    model = make(kind, **kwargs)
    rng = np.random.default_rng(1)
    for variable in model.trainable_variables:
        variable.assign(rng.normal(size=variable.shape))
    other = make(kind, **kwargs)
    other.set_weights(model.get_weights())
    pairwise = PairwiseModel(model, TripletSampler(GRAPH), 32, l2=0.2)
    pairwise.compile(keras.optimizers.SGD(0.1))
    pairwise.train_step(tf.constant([[1, 1, 0]]))

    users, positives, negatives = triplets([1, 1, 0], 32)
    lengths = keras.Model(other.input, other.regularized)
    with tf.GradientTape() as tape:
        good, bad = (
            (other(pairs)[:, 0], lengths(pairs))
            for pairs in (
                {"user": users, "item": positives},
                {"user": users, "item": negatives},
            )
        )
        loss = tf.reduce_mean(-tf.math.log_sigmoid(good[0] - bad[0]))
        loss += 0.2 * tf.reduce_mean(
            good[1]["user"] + good[1]["item"] + bad[1]["item"]
        )
    variables = other.trainable_variables
    gradients = tape.gradient(loss, [v.value for v in variables])
    for variable, gradient in zip(variables, gradients, strict=True):
        if gradient is not None:
            variable.assign(variable - 0.1 * tf.convert_to_tensor(gradient))
    for found, expected in zip(
        model.trainable_variables, variables, strict=True
    ):
        scale = np.abs(expected).max()
        np.testing.assert_allclose(found, expected, atol=1e-5 * scale)


@pytest.mark.parametrize("kind", KINDS)
def test_the_loss_falls_and_positives_come_to_the_top(kind):
    model = make(kind)
    record = trainer(model, max_steps=300, l2=1e-4).fit(seed=0)
    found = losses(record)
    assert len(found) == 60 and record.steps == 300
    assert found[-1] < 0.9 * found[0]
    users, positives, negatives = triplets([99, 0, 0], 500)
    good, bad = (
        np.asarray(model({"user": users, "item": items}))[:, 0]
        for items in (positives, negatives)
    )
    assert (good > bad).mean() > 0.7


def scripted(values):
    """Validation that finds these qualities and notes the models' weights."""
    seen = []

    def validate(model):
        seen.append(model.get_weights())
        return {"ndcg@20": values[len(seen) - 1], "other": 1.0}

    return validate, seen


@pytest.mark.parametrize(
    ("values", "best", "length"),
    [
        ([0.1, 0.3, 0.2, 0.3, 0.1, 0.9], 1, 4),
        ([0.5, 0.1, 0.2, 0.9, 0.9], 0, 3),
        ([0.1, 0.2, 0.3, 0.4, 0.5, 0.6], 4, 5),
    ],
)
def test_the_best_state_is_kept_and_patience_ends(values, best, length):
    validate, seen = scripted(values)
    model = make()
    record = trainer(model, patience=2).fit(0, validate)
    assert len(record.history) == len(seen) == length
    assert record.best_epoch == best
    assert record.best["ndcg@20"] == values[best]
    for found, expected in zip(model.get_weights(), seen[best], strict=True):
        np.testing.assert_array_equal(found, expected)
    steps = [entry["step"] for entry in record.history]
    assert steps == [5 * number for number in range(length)]


def test_without_validation_the_last_state_is_kept():
    model = make()
    entries = []
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: entries.append(logs)
    )
    record = trainer(model, max_steps=12).fit(0, callbacks=[told])
    assert [entry["step"] for entry in entries] == [5, 10, 12]
    assert record.best_epoch == 3
    assert record.steps == 12
    start = make()
    assert not np.allclose(model.get_weights()[0], start.get_weights()[0])


def test_no_step_at_all_changes_nothing():
    model, validate = make(), scripted([0.5])[0]
    record = trainer(model).fit(0, validate, max_steps=0)
    assert (record.steps, record.best_epoch) == (0, 0)
    assert_same_weights(model, make())


def test_a_monitor_that_is_no_metric_is_refused():
    validate, _ = scripted([0.1] * 9)
    with pytest.raises(ValueError, match=r"'ndcg@20', 'other'.*'recall'"):
        trainer(make()).fit(0, validate, monitor="recall")


@pytest.mark.parametrize("kind", KINDS)
def test_equal_weights_and_seeds_train_equally_again_and_again(kind):
    model = make(kind)
    first = model.get_weights()
    # A rate that falls within the run, so that it must start again, too.
    run = trainer(model, decay=0.5, decay_steps=4)
    record = run.fit(seed=3)
    once = model.get_weights()
    found = [losses(record)]
    for seed in (4, 3):
        model.set_weights(first)
        found.append(losses(run.fit(seed)))
    assert found[2] == found[0] != found[1]
    for one, other in zip(once, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)
    # Another model with the same weights, whatever was drawn before it.
    fresh = make(kind, seed=8)
    fresh.set_weights(first)
    assert losses(trainer(fresh, decay=0.5, decay_steps=4).fit(3)) == found[0]
    assert_same_weights(fresh, model)


class Interrupted(Exception):
    pass


def interrupt_at(step):
    def on_epoch_end(epoch, logs):
        if logs["step"] == step:
            raise Interrupted

    return [keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)]


def quality(model):
    scores = model({"user": np.arange(1, 9), "item": np.arange(1, 9)})
    return {"ndcg@20": float(np.mean(scores)), "least": float(np.min(scores))}


@pytest.mark.parametrize("kind", [MatrixFactorization, NGCF])
def test_an_interrupted_run_ends_as_it_would_have_ended(kind, tmp_path):
    path = tmp_path / "state.npz"
    changed = {"max_steps": 30, "decay": 0.5, "decay_steps": 8}
    whole = make(kind)
    expected = trainer(whole, **changed).fit(7, quality)
    # The second session starts from other weights: they must not matter.
    for step, seed in ((10, 0), (20, 99)):
        with pytest.raises(Interrupted):
            trainer(make(kind, seed), **changed).fit(
                7,
                quality,
                checkpoint=path,
                checkpoint_seconds=0.0,
                callbacks=interrupt_at(step),
            )
    resumed = make(kind, seed=5)
    found = trainer(resumed, **changed).fit(7, quality, checkpoint=path)
    for entry in (*found.history, *expected.history):
        entry.pop("seconds")
    assert found.history == expected.history
    assert found.best_epoch == expected.best_epoch
    assert_same_weights(resumed, whole)
    # What is finished is read, not trained again.
    again = make(kind, seed=6)
    record = trainer(again, **changed).fit(
        7, quality, checkpoint=path, callbacks=interrupt_at(30)
    )
    assert len(record.history) == len(expected.history)
    assert_same_weights(again, whole)


def test_a_checkpoint_of_another_run_is_refused(tmp_path):
    path = tmp_path / "state.npz"
    arguments = {"checkpoint": path, "settings": {"split": 1}}
    trainer(make()).fit(0, quality, **arguments)
    other = MatrixFactorization.from_sizes(
        users=USERS, items=ITEMS, embedding_dim=3
    )
    other_graph = BipartiteGraph.from_pairs([1, 2], [1, 2], USERS, ITEMS)
    for run, seed, changed, name in (
        (trainer(make()), 1, {}, "seed"),
        (trainer(make()), 0, {"settings": {"split": 2}}, "split"),
        (trainer(make()), 0, {"max_steps": 7}, "max_steps"),
        (trainer(make()), 0, {"monitor": "least"}, "monitor"),
        (trainer(make(), l2=0.5), 0, {}, "l2"),
        (trainer(other), 0, {}, "shapes"),
        (PairwiseTrainer(make(), other_graph, RECIPE), 0, {}, "data"),
    ):
        with pytest.raises(ValueError, match=rf"state\.npz.*'{name}'"):
            run.fit(seed, quality, **{**arguments, **changed})


def test_a_loss_that_is_not_finite_keeps_the_last_checkpoint(tmp_path):
    path = tmp_path / "state.npz"
    poison = tf.Variable(0.0)

    def loss(_, scores):
        return keras.ops.softplus(scores[:, 1] - scores[:, 0]) + poison

    def spoil(epoch, logs):
        if logs["step"] == 10:
            poison.assign(np.nan)

    told = [keras.callbacks.LambdaCallback(on_epoch_end=spoil)]

    arguments = {"checkpoint": path, "checkpoint_seconds": 0.0}
    model = make()
    run = PairwiseTrainer(model, GRAPH, RECIPE, loss=loss)
    with pytest.raises(FloatingPointError, match="diverged"):
        run.fit(0, quality, callbacks=told, **arguments)
    _, values = Checkpoint(path).load()
    assert values["history"][-1]["step"] == 10
    poison.assign(0.0)
    # From there it goes on, and ends as if nothing had happened.
    run.fit(0, quality, **arguments)
    whole = make()
    trainer(whole).fit(0, quality)
    assert_same_weights(model, whole)


def test_float16_learns_as_float32():
    found = []
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        try:
            model = make()
            run = trainer(model)
        finally:
            keras.config.set_dtype_policy("float32")
        first = model.get_weights()
        record = run.fit(seed=0)
        model.set_weights(first)
        assert losses(run.fit(seed=0)) == losses(record)
        found.append(losses(record))
    scaled = run._pairwise.optimizer
    assert isinstance(scaled, keras.optimizers.LossScaleOptimizer)
    assert found[1] == pytest.approx(found[0], rel=0.01)
    assert found[0][-1] < 0.9 * found[0][0]


def test_metrics_are_given_scores_of_pairs():
    run = PairwiseModel(make(), TripletSampler(GRAPH), 50)
    run.compile("adam", metrics=[keras.metrics.MeanAbsoluteError("mae")])
    logs = run.train_step(tf.constant([[5, 2, 0]]))
    users, positives, negatives = triplets([5, 2, 0], 50)
    good, bad = (
        np.asarray(make()({"user": users, "item": items}))
        for items in (positives, negatives)
    )
    expected = np.abs(np.concatenate([1 - good, bad])).mean()
    assert float(logs["mae"]) == pytest.approx(expected, rel=1e-4)
    assert set(logs) == {"loss", "mae"}


def test_no_layer_drops_what_another_drops():
    model = make(NGCF)
    trainer(model).fit(seed=7, max_steps=0)
    drawn = []
    for layer in model._flatten_layers():
        for generator in layer._seed_generators:
            states = [generator.next() for _ in range(4)]
            drawn += [tuple(np.asarray(state)) for state in states]
    assert len(drawn) >= 8
    assert len(set(drawn)) == len(drawn)


def test_refuses_what_it_cannot_train():
    model = make()
    plain = keras.Model(model.input, model.output)
    with pytest.raises(ValueError, match="`l2` needs a model"):
        PairwiseModel(plain, TripletSampler(GRAPH), 8, l2=0.1)
    PairwiseModel(plain, TripletSampler(GRAPH), 8)
    with pytest.raises(ValueError, match="`batch_size` must be"):
        PairwiseModel(model, TripletSampler(GRAPH), 0)


def functional(named):
    sides = [keras.Input((), dtype="int32", name=k) for k in ("user", "item")]
    rows = [
        keras.layers.Embedding(size, WIDTH)(ids)
        for size, ids in zip((USERS, ITEMS), sides, strict=True)
    ]
    inputs = dict(zip(("user", "item"), sides, strict=True))
    score = keras.layers.Dot(1)(rows)
    return keras.Model(inputs if named else sides, score)


class Subclassed(keras.Model):
    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def call(self, inputs):
        return self.inner([inputs["user"], inputs["item"]])


@pytest.mark.parametrize("wrap", [lambda model: model, Subclassed])
def test_any_model_of_users_and_items_trains_the_same(wrap):
    named, listed = functional(named=True), functional(named=False)
    listed.set_weights(named.get_weights())
    recipe = dataclasses.replace(RECIPE, l2=0.0)
    records = [
        PairwiseTrainer(model, GRAPH, recipe).fit(0)
        for model in (named, wrap(listed))
    ]
    assert losses(records[1]) == pytest.approx(losses(records[0]), rel=1e-5)
    for found, expected in zip(
        listed.get_weights(), named.get_weights(), strict=True
    ):
        np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)


def test_another_loss_may_be_given():
    def hinge(_, scores):
        return keras.ops.relu(1 - scores[:, 0] + scores[:, 1])

    record = PairwiseTrainer(make(), GRAPH, RECIPE, loss=hinge).fit(0)
    assert losses(record)[0] == pytest.approx(1, abs=0.05)


_REPLICAS = """
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)
import keras
import pytest
from tests.training.test_pairwise_trainer import (
    GRAPH, LightGCN, NGCF, NeuMF, PairwiseModel, TripletSampler, losses,
    make, trainer,
)
from keras_emb.optimizers import SparseAdam
from keras_emb.training import StepRunner

SAMPLER = TripletSampler(GRAPH)


def joined(seed, count):
    # What two replicas draw of the same step.
    parts = [
        SAMPLER(tf.concat([seed[:2], [replica]], 0), count // 2)
        for replica in range(2)
    ]
    return tuple(tf.concat(side, 0) for side in zip(*parts))


def train(kind, strategy, sampler, replicas):
    with strategy.scope():
        model = make(kind)
        pairwise = PairwiseModel(model, sampler, 64, l2=0.1)
        pairwise.compile(SparseAdam(1e-2, epsilon=1e-3))
    seeds = np.zeros((4, replicas, 3), np.int32)
    seeds[..., 1] = np.arange(4)[:, None]
    seeds[..., 2] = np.arange(replicas)
    logs = StepRunner(pairwise).run(seeds)
    return [np.array(logs["loss"]), *model.get_weights()]


one, two = SAMPLER([0, 0, 0], 50), SAMPLER([0, 0, 1], 50)
assert (one[0].numpy() != two[0].numpy()).mean() > 0.5
mirrored = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
for kind in (LightGCN, NeuMF):
    expected = train(kind, tf.distribute.get_strategy(), joined, 1)
    found = train(kind, mirrored, SAMPLER, 2)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            one, other, rtol=1e-4, atol=1e-5, err_msg=kind.__name__
        )
with mirrored.scope():
    # Dropout, too, and the loop around it.
    run = trainer(make(NGCF), max_steps=10)
    with pytest.raises(ValueError, match="replicas, 2"):
        PairwiseModel(make(), SAMPLER, 3)
    with pytest.raises(ValueError, match="float16 on one.*2 replicas"):
        PairwiseModel(make(), SAMPLER, 4).compile(
            keras.optimizers.LossScaleOptimizer(SparseAdam())
        )
    measured = PairwiseModel(make(), SAMPLER, 4)
    measured.compile(metrics=["mae"])
logs = StepRunner(measured).run(np.zeros((1, 2, 3), np.int32))
assert np.isfinite(logs["mae"])
record = run.fit(0)
assert np.isfinite(losses(record)).all() and losses(record)[1] < 0.7
"""


def test_two_replicas_train_as_one_device_on_their_joined_triplets(request):
    done = subprocess.run(
        [sys.executable, "-c", _REPLICAS],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
