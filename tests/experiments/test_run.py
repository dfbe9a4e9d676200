"""Whole runs: their artifacts, and what a SIGKILL does to them."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from keras_emb.compression import SizeAssignment
from keras_emb.experiments.json_file import read_json
from keras_emb.experiments.saved_run import SavedRun

_SCRIPT = """
import sys
from pathlib import Path
from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.experiments.run import run_experiment

config = ExperimentConfig.load("demo", [
    "methods=[dense,dnis_aligned_prefix]", "shares=[0.1]",
    "export.share=0.1", "tuning_trials=1", "seeds=[0]",
    "backbone.embedding_dim=16", "recipe.batch_size=8192",
    "recipe.max_epochs=4", "search.search_epochs=4",
])
run_experiment(
    config, Path(sys.argv[1]), resume=True, checkpoint_seconds=0.0
)
"""

# The file whose appearance says that a stage is under way.
_STAGES = {
    "warm start": "work/states/shared_dense_0_seed0.npz",
    "search": "work/states/shared_search_1_seed0/search.npz",
    "retrain": "work/states/dnis_aligned_prefix_0.1_seed0_0.npz",
    "export": "sizes.npz",
}


def _start(out):
    return subprocess.Popen(
        [sys.executable, "-c", _SCRIPT, str(out)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _kill_when(out, file):
    process = _start(out)
    path = out.with_name(f"{out.name}.partial") / file
    deadline = time.monotonic() + 120
    while not path.exists():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline, f"{file} never came"
        time.sleep(0.002)
    process.send_signal(signal.SIGKILL)
    assert process.wait() == -signal.SIGKILL
    assert not out.exists()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole") / "run"
    process = _start(out)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return out


def test_a_run_killed_in_every_stage_ends_the_same(whole, tmp_path):
    out = tmp_path / "run"
    for file in _STAGES.values():
        _kill_when(out, file)
    process = _start(out)
    _, errors = process.communicate()
    assert process.returncode == 0, errors

    expected = SizeAssignment.load(whole / "sizes.npz")
    sizes = SizeAssignment.load(out / "sizes.npz")
    for name in expected.tables:
        np.testing.assert_array_equal(sizes.sizes(name), expected.sizes(name))
    results = [read_json(path / "result.json") for path in (whole, out)]
    assert results[0]["metrics"] == results[1]["metrics"]
    assert not (out / "work").exists()
    assert (out / "saved_model/1/saved_model.pb").exists()


def test_a_run_holds_what_it_says(whole):
    run = SavedRun.load(whole)
    assert run.evaluate() == run.result["metrics"]["test"]
    assert run.assignment.kept_share <= 0.1
    num_bytes = run.result["bytes"]
    parts = ("values", "index", "projections", "dense_layers")
    stored = sum(num_bytes[part] for part in parts)
    assert stored == num_bytes["total"]
    assert num_bytes["values"] == 4 * run.result["budget"]["parameters"]
    assert num_bytes["projections"] == 0
    assert num_bytes["artifact_on_disk"] == sum(
        file.stat().st_size
        for file in (whole / "saved_model/1").rglob("*")
        if file.is_file()
    )
    assert stored <= num_bytes["artifact_on_disk"] <= 1.05 * stored + 100_000
    stages = (whole / "history.csv").read_text()
    assert all(f"\n{s}," in stages for s in ("warm_start", "search", "retrain"))
    assert {p.stem for p in (whole / "plots").glob("*.png")} == {
        "alpha",
        "pruning",
        "quality",
        "sizes",
    }
