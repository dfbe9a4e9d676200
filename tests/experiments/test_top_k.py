"""A whole experiment on implicit feedback, and what a SIGKILL does to it."""

import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf

from keras_emb.experiments.configs import DatasetConfig, ExperimentConfig
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.json_file import read_json
from keras_emb.experiments.report import write_report
from keras_emb.experiments.result import main_metric, validate_result
from keras_emb.experiments.saved_run import SavedRun
from keras_emb.experiments.tables import result_table
from tests.datasets.movielens.fake_files import random_rows, write_fake_files

NAME = "dnis_neumf_movielens_100k_topk"
METHODS = ["dense", "dnis_aligned_prefix"]
SETTINGS = [
    "dataset.options.num_candidates=10",
    "backbone.embedding_dim=10",
    "recipe.batch_size=512",
    "recipe.max_epochs=2",
    "search.search_epochs=2",
    "search.num_blocks=3",
    "shares=[0.5]",
    "export.share=0.5",
    f"methods=[{', '.join(METHODS)}]",
    "seeds=[0]",
    "tuning_trials=1",
    "tuning_grid={}",
]
SCRIPT = f"""
import sys
from pathlib import Path
from keras_emb.experiments.any_experiment import (
    load_experiment, run_any_experiment,
)
run_any_experiment(
    load_experiment({NAME!r}, {SETTINGS!r}),
    Path(sys.argv[1]), data_dir=sys.argv[2], resume=True,
    checkpoint_seconds=0.0,
)
"""


def _start(out, files):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out), str(files)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    write_fake_files(folder, "100k", random_rows(600))
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory, files):
    """A run that was killed while it searched, and resumed."""
    out = tmp_path_factory.mktemp("top_k") / "run"
    process = _start(out, files)
    path = out.with_name("run.partial") / "work/states/shared_search_1_seed0"
    while not (path / "search.npz").exists():
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert not out.exists()
    process = _start(out, files)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return out


def test_a_run_leaves_everything(run, tmp_path):
    result = read_json(run / "result.json")
    validate_result(result)
    assert main_metric(result) == ("sampled_ndcg@10", True)
    assert set(result["baselines"]) == {*METHODS}
    dense = result["baselines"]["dense"]["1"]["mean"]["parameters"]
    for method, of_method in result["baselines"].items():
        for cell in of_method.values():
            kept = cell["mean"]["parameters"]
            assert kept <= cell["share"] * dense, method
            test = cell["mean"]["test"]
            for name in ("hit_rate", "ndcg", "mrr"):
                at = [test[f"sampled_{name}@{k}"] for k in (1, 5, 10)]
                assert 0 <= at[0] <= at[1] <= at[2] <= 1
                assert test["hit_rate@10"] <= test["sampled_hit_rate@10"]
    plots = {path.stem for path in (run / "plots").glob("*.png")}
    assert plots == {"alpha", "pruning", "quality", "sizes"}
    assert "sampled NDCG@10" in result_table(result).title
    page = write_report([run], tmp_path / "report.html").read_text()
    assert "test sampled_ndcg@10" in page
    assert "sampled_ndcg@10" in (run / "history.csv").read_text()


def test_the_artifact_is_the_model_measured(run, files):
    saved = SavedRun.load(run)
    metrics = saved.evaluate(str(files))
    assert metrics == pytest.approx(saved.result["metrics"]["test"], rel=1e-4)
    ids = {"user": np.array([1, 2], "int32"), "item": np.array([3, 1], "int32")}
    served = tf.saved_model.load(str(run / "saved_model" / "1"))
    answer = served.signatures["serving_default"](
        **{name: tf.constant(rows) for name, rows in ids.items()}
    )
    (scores,) = answer.values()
    np.testing.assert_allclose(scores, saved.model(ids), 1e-5, 1e-6)


def test_a_killed_run_ends_as_if_it_had_not_been(run, files, tmp_path):
    whole = tmp_path / "whole"
    process = _start(whole, files)
    _, errors = process.communicate()
    assert process.returncode == 0, errors

    def figures(out):
        return [
            (method, share, cell["mean"]["test"], cell["mean"]["parameters"])
            for method, of_method in read_json(out / "result.json")[
                "baselines"
            ].items()
            for share, cell in of_method.items()
        ]

    assert figures(run) == figures(whole)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match="`dataset.split` must be implicit"):
        ExperimentConfig.load(NAME, ["dataset.split=leave_one_out"])
    with pytest.raises(ValueError, match="and for no other.*task=rating"):
        ExperimentConfig.load(NAME, ["task=rating"])
    dataset = DatasetConfig(
        "synthetic", "implicit_leave_one_out", shares=(0.8, 0.1, 0.1)
    )
    with pytest.raises(ValueError, match="must be among.*Received: shares"):
        load_interactions(dataset)
