"""Two real processes on this machine train what one does."""

import json
import os
import socket
import subprocess
import sys

import numpy as np

_SCRIPT = """
import sys
import numpy as np
import tensorflow as tf

workers = int(sys.argv[1])
strategy = (
    tf.distribute.MultiWorkerMirroredStrategy()
    if workers > 1
    else tf.distribute.get_strategy()
)
import keras
from keras_emb.bilevel import BilevelModel
from keras_emb.optimizers import BlockNormalizedSGD, SparseAdam
from keras_emb.search.dnis import add_selection
from keras_emb.training import StepRunner
from keras_emb.zoo import MatrixFactorization

with strategy.scope():
    keras.utils.set_random_seed(0)
    model = MatrixFactorization.from_sizes(users=12, items=9, embedding_dim=4)
    blocks = {"user": np.arange(12) % 2, "item": np.arange(9) % 2}
    selected = add_selection(model, blocks)
    bilevel = BilevelModel(selected, [selected.tables["user"].selection])
    bilevel.compile(
        SparseAdam(1e-2), outer_optimizer=BlockNormalizedSGD(1e-2), loss="mse"
    )
random = np.random.default_rng(1)

def batch():
    # Few ids: every worker holds some of the other's.
    return {
        "user": random.integers(0, 12, (3, 8)).astype("int32"),
        "item": random.integers(0, 9, (3, 8)).astype("int32"),
    }

stars = lambda: random.integers(1, 6, (3, 8)).astype("float32")
stack = (
    {"inner": batch(), "outer": batch(), "outer_target": stars()}, stars()
)
logs = StepRunner(bilevel).run(stack)
np.savez(
    sys.argv[2],
    loss=logs["loss"],
    alpha=selected.tables["user"].selection.alpha.numpy(),
    **{name: table.values() for name, table in selected.tables.items()},
)
"""


def _start(path, workers, index=0, cluster=()):
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "-1"}
    if cluster:
        environment["TF_CONFIG"] = json.dumps(
            {
                "cluster": {"worker": list(cluster)},
                "task": {"type": "worker", "index": index},
            }
        )
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(workers), str(path)],
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    )


def _free_address():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{probe.getsockname()[1]}"


def _finish(process):
    try:
        _, errors = process.communicate(timeout=180)
    finally:
        process.kill()
    assert process.returncode == 0, errors[-3000:]


def test_two_processes_train_as_one(tmp_path):
    alone = _start(tmp_path / "alone.npz", workers=1)
    cluster = [_free_address(), _free_address()]
    pair = [_start(tmp_path / f"{i}.npz", 2, i, cluster) for i in range(2)]
    for process in (alone, *pair):
        _finish(process)
    expected = np.load(tmp_path / "alone.npz")
    for index in range(2):
        found = np.load(tmp_path / f"{index}.npz")
        for name in expected.files:
            np.testing.assert_allclose(
                found[name], expected[name], rtol=1e-5, atol=1e-6, err_msg=name
            )
