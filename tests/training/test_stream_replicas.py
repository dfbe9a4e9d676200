"""Two devices go through a stream as one does."""

import subprocess
import sys

_SCRIPT = """
import keras
import numpy as np
import tensorflow as tf

tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0],
    [tf.config.LogicalDeviceConfiguration()] * 2,
)
from keras_emb.training import StreamBatches, StreamRunner, train_on_stream
from keras_emb.training.model_state import state_arrays
from keras_emb.zoo import MatrixFactorization
from tests.training.streams import (
    ITEMS,
    USERS,
    interactions,
    make_bilevel,
    observed_state,
    observed_variables,
)

ids, label = interactions(48)

# Both replicas hold the same half: the statistics of a part are then those
# of the batch, and everything must come out as on one device.
twice = np.arange(48).reshape(6, 1, 8).repeat(2, axis=1).ravel()
same_halves = StreamBatches(
    {k: v[twice] for k, v in ids.items()}, label[twice], batch_size=16
)
other_halves = StreamBatches(ids, label, batch_size=16)


def several_widths(strategy):
    with strategy.scope():
        model = make_bilevel("loss", rate=1e-3, decay=0.5)
    runner = StreamRunner(model)
    first = runner.run(same_halves.stack(0, 6), has_past=True)
    state, observed = state_arrays(model), observed_state(model)
    # From here on the parts' statistics differ from the batch's; what is
    # counted does not.
    runner.run(other_halves.stack(0, 3), has_past=True)
    counters = [t.counter for t in model.model.tables.values()]
    counts = [c(np.arange(c.num_rows)).numpy() for c in counters]
    copies = [
        [copy.numpy() for copy in strategy.experimental_local_results(v.value)]
        for v in observed_variables(model)
    ]
    return first, state, observed, counts, copies


def plain(strategy):
    with strategy.scope():
        keras.utils.set_random_seed(0)
        model = MatrixFactorization.from_sizes(
            users=USERS, items=ITEMS, embedding_dim=3
        )
        model.compile(keras.optimizers.SGD(0.1), loss="mse")
    return train_on_stream(model, other_halves).predictions


one = tf.distribute.get_strategy()
two = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
assert two.num_replicas_in_sync == 2

np.testing.assert_allclose(plain(two), plain(one), atol=1e-5)

expected, found = several_widths(one), several_widths(two)
assert np.ptp(expected[0]) > 1e-3
np.testing.assert_allclose(found[0], expected[0], atol=1e-5)
assert found[1].keys() == expected[1].keys()
for name, value in expected[1].items():
    np.testing.assert_allclose(found[1][name], value, atol=1e-3, err_msg=name)
for one_device, devices in zip(expected[2], found[2], strict=True):
    np.testing.assert_allclose(devices, one_device, atol=1e-4)

# By hand: six batches of every row twice, then three of every row once.
parts = [*twice.reshape(6, 16), *np.arange(48).reshape(3, 16)]
for side, rows, counts in zip(("user", "item"), (USERS, ITEMS), found[3]):
    by_hand = np.zeros(rows)
    for part in parts:
        fade = 0.5 if side == "user" else 1
        by_hand = fade * by_hand + np.bincount(ids[side][part], minlength=rows)
    np.testing.assert_allclose(counts, by_hand, rtol=1e-6)
for one_device, devices in zip(expected[3], found[3], strict=True):
    np.testing.assert_array_equal(devices, one_device)
for copies in found[4]:
    assert len(copies) == 2
    np.testing.assert_array_equal(*copies)
"""


def test_two_replicas_observe_and_predict_as_one_device(request):
    done = subprocess.run(
        [sys.executable, "-c", _SCRIPT],
        cwd=request.config.rootpath,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3000:]
