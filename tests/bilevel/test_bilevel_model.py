import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_emb.bilevel import BilevelModel
from keras_emb.layers import SoftDimensionSelection
from keras_emb.optimizers import BlockNormalizedSGD, SparseAdam
from keras_emb.search.dnis import add_selection
from keras_emb.zoo import MLP, MatrixFactorization


def make(backbone=MatrixFactorization, seed=0, **compiling):
    keras.utils.set_random_seed(seed)
    model = backbone.from_sizes(users=12, items=9, embedding_dim=4)
    blocks = {"user": np.arange(12) % 2, "item": np.arange(9) % 2}
    selected = add_selection(model, blocks)
    selection = selected.tables["user"].selection
    bilevel = BilevelModel(selected, outer=[selection])
    bilevel.compile(
        SparseAdam(1e-2),
        outer_optimizer=BlockNormalizedSGD(1e-2),
        loss="mse",
        **compiling,
    )
    return bilevel, selection


def batch(seed=0, size=8):
    random = np.random.default_rng(seed)

    def features():
        return {
            "user": random.integers(0, 12, size).astype("int32"),
            "item": random.integers(0, 9, size).astype("int32"),
        }

    def stars():
        return random.integers(1, 6, (size, 1)).astype("float32")

    x = {"inner": features(), "outer": features(), "outer_target": stars()}
    return x, stars()


@pytest.mark.parametrize("order", ["first_order", "unrolled"])
def test_fit_moves_both_sets_of_variables(order):
    bilevel, selection = make(MLP, hypergradient=order)
    before = [v.numpy() for v in bilevel.inner_variables]
    history = bilevel.fit(*batch(), epochs=3, batch_size=4, verbose=0)
    assert {"loss", "outer_loss"} <= set(history.history)
    assert history.history["loss"][-1] < history.history["loss"][0]
    alpha = selection.alpha.numpy()
    assert (alpha != 1).any() and (alpha >= 0).all() and (alpha <= 1).all()
    after = [v.numpy() for v in bilevel.inner_variables]
    assert all((a != b).any() for a, b in zip(before, after, strict=True))


@pytest.mark.parametrize("outer_first", [False, True])
@pytest.mark.parametrize("ours", [False, True])
def test_a_step_is_one_step_of_each_optimizer(outer_first, ours):
    bilevel, selection = make(outer_first=outer_first)
    if not ours:
        # Ids repeat in the batch: their slices must count as one gradient.
        bilevel.compile(
            keras.optimizers.Adam(1e-2),
            outer_optimizer=keras.optimizers.Adam(1e-2),
            loss="mse",
            outer_first=outer_first,
        )
    by_hand, other = make(outer_first=outer_first)
    x, y = batch()
    bilevel.train_step((x, y))

    import tensorflow as tf

    def step(variables, optimizer, inputs, targets):
        with tf.GradientTape() as tape:
            error = by_hand.model(inputs) - targets
            loss = tf.reduce_mean(error**2)
        gradients = tape.gradient(loss, [v.value for v in variables])
        optimizer.apply([tf.convert_to_tensor(g) for g in gradients], variables)

    inner = by_hand.inner_variables
    adam = keras.optimizers.Adam(1e-2)
    adam.build(inner)
    outer = BlockNormalizedSGD(1e-2) if ours else keras.optimizers.Adam(1e-2)
    outer.build([other.alpha])
    steps = [
        (inner, adam, x["inner"], y),
        ([other.alpha], outer, x["outer"], x["outer_target"]),
    ]
    for arguments in reversed(steps) if outer_first else steps:
        step(*arguments)
    np.testing.assert_allclose(
        selection.alpha.numpy(), other.alpha.numpy(), atol=1e-6
    )
    for found, expected in zip(bilevel.inner_variables, inner, strict=True):
        np.testing.assert_allclose(found.numpy(), expected.numpy(), atol=1e-5)


def test_saved_and_loaded_it_goes_on_the_same(tmp_path):
    bilevel, _ = make(inner_learning_rate=0.2)
    bilevel.fit(*batch(), epochs=2, verbose=0, shuffle=False)
    bilevel.save(tmp_path / "search.keras")
    loaded = keras.saving.load_model(tmp_path / "search.keras")
    assert loaded.inner_learning_rate == 0.2
    assert isinstance(loaded.optimizer, SparseAdam)
    assert isinstance(loaded.outer_optimizer, BlockNormalizedSGD)
    assert len(loaded.outer_variables) == len(bilevel.outer_variables) == 1
    for model in (bilevel, loaded):
        model.fit(*batch(1), epochs=2, verbose=0, shuffle=False)
    assert int(loaded.outer_optimizer.iterations.numpy()) == 4
    for ours, theirs in zip(bilevel.weights, loaded.weights, strict=True):
        np.testing.assert_array_equal(ours.numpy(), theirs.numpy())
    x, y = batch()
    np.testing.assert_array_equal(
        bilevel.predict(x["inner"], verbose=0),
        loaded.predict(x["inner"], verbose=0),
    )
    error = loaded.predict(x["inner"], verbose=0) - y
    loss = loaded.evaluate(x["inner"], y, verbose=0, return_dict=True)
    assert loss == {"loss": pytest.approx(np.mean(error**2), rel=1e-5)}


def test_batch_norm_never_sees_validation_batches():
    ids = keras.Input((), dtype="int32")
    table = keras.layers.Embedding(9, 4, name="word")
    selected = add_selection(
        keras.Model(
            ids,
            keras.layers.Dense(1)(
                keras.layers.BatchNormalization(name="norm")(table(ids))
            ),
        ),
        {"word": np.arange(9) % 2},
    )
    selection = selected.get_layer("word").selection
    x = {
        "inner": np.array([1, 2], "int32"),
        "outer": np.array([3, 4], "int32"),
        "outer_target": np.ones((2, 1), "float32"),
    }
    means = []
    for changed in ([3, 4], [7, 8]):
        copy = keras.models.clone_model(selected)
        copy.set_weights(selected.get_weights())
        selection = copy.get_layer("word").selection
        bilevel = BilevelModel(copy, [selection])
        bilevel.compile("sgd", outer_optimizer="sgd", loss="mse")
        other = {**x, "outer": np.array(changed, "int32")}
        bilevel.train_step((other, np.ones((2, 1), "float32")))
        means.append(copy.get_layer("norm").moving_mean.numpy())
    np.testing.assert_array_equal(*means)
    assert means[0].any()


def test_refuses_a_wrong_division():
    model = MLP.from_sizes(users=3, items=3, embedding_dim=2)
    stranger = SoftDimensionSelection(1, 2)
    for outer in ([], [stranger], [model]):
        with pytest.raises(ValueError, match="outer"):
            BilevelModel(model, outer)


def test_refuses_what_it_cannot_train():
    bilevel, _ = make()
    with pytest.raises(ValueError, match="hypergradient"):
        bilevel.compile("sgd", hypergradient="second")
    scaled = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD())
    with pytest.raises(ValueError, match="loss scaling"):
        bilevel.compile(scaled, loss="mse")
    x, y = batch()
    with pytest.raises(ValueError, match="outer_target"):
        bilevel.train_step((x["inner"], y))


_REPLICAS = """
import sys
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)
from tests.bilevel.test_bilevel_model import make
from keras_emb.training import StepRunner

def train(strategy):
    with strategy.scope():
        bilevel, selection = make()
    random = np.random.default_rng(0)
    losses = []
    for _ in range(4):
        # Few ids, so both replicas hold the same ones.
        def features():
            return {
                "user": random.integers(0, 4, (3, 16)).astype("int32"),
                "item": random.integers(0, 3, (3, 16)).astype("int32"),
            }
        def stars():
            return random.integers(1, 6, (3, 16)).astype("float32")
        stack = (
            {"inner": features(), "outer": features(), "outer_target": stars()},
            stars(),
        )
        logs = StepRunner(bilevel).run(stack)
        losses.append([logs["loss"], logs["outer_loss"]])
    tables = [t.values() for t in bilevel.model.tables.values()]
    return [np.array(losses), selection.alpha.numpy(), *tables]

one = train(tf.distribute.get_strategy())
two = train(tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"]))
assert np.abs(one[1] - 1).max() > 0.05
for found, expected in zip(two, one, strict=True):
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
"""


def test_two_replicas_train_as_one_device(request):
    done = subprocess.run(
        [sys.executable, "-c", _REPLICAS],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
