import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from typer.testing import CliRunner

from keras_emb.cli import app
from keras_emb.compression import SizeAssignment
from keras_emb.datasets import Vocabulary, load_stream, task_labels
from keras_emb.experiments.ablations import AblationConfig
from keras_emb.experiments.any_experiment import (
    load_experiment,
    run_any_experiment,
)
from keras_emb.experiments.configs import ExperimentConfig, experiment_names
from keras_emb.experiments.ranking import RankingExperimentConfig
from keras_emb.experiments.report import write_report
from keras_emb.experiments.result import validate_result
from keras_emb.experiments.run_preset import preset_of_run
from keras_emb.experiments.saved_run import SavedRun
from keras_emb.experiments.streams import StreamExperimentConfig
from keras_emb.experiments.streams.result import summarize_stream_records
from keras_emb.experiments.streams.scores import (
    score_stream,
    weights_by_popularity,
)
from keras_emb.experiments.tables import result_table

NAME = "autoemb_streaming_dlrs_movielens_100k"
SETTINGS = [
    "stream.name=synthetic",
    "stream.order=permuted",
    "tasks=[binary]",
    "dims=[2, 8]",
    "backbone.embedding_dim=8",
    "backbone.options={hidden_units: 8}",
    "controller={hidden_units: 8, popularity_dim: 4}",
    "batch_size=1000",
    "shares=[0.8]",
    "export.share=0.8",
    "seeds=[0]",
    "methods=[fixed, fixed_retrained, darts, autoemb, autoemb_hard]",
    "regrow_every=1",
    "reserve=0.05",
]
SCRIPT = f"""
import sys
from pathlib import Path
from keras_emb.experiments.any_experiment import (
    load_experiment, run_any_experiment,
)
run_any_experiment(
    load_experiment({NAME!r}, {SETTINGS!r} + sys.argv[2:]),
    Path(sys.argv[1]), resume=True, checkpoint_seconds=0.0,
)
"""


def _start(out, *settings):
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(out), *settings],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("stream") / "run"
    process = _start(out)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return out


def _result(out):
    return json.loads((out / "result.json").read_text())


def test_a_run_leaves_everything(run):
    result = _result(run)
    validate_result(result)
    assert set(result["baselines"]) == {
        "fixed_2",
        "fixed_6",
        "fixed_8",
        "fixed_retrained_6",
        "darts",
        "autoemb",
        "autoemb_hard_0.8",
    }
    for of_method in result["baselines"].values():
        cell = of_method["binary"]
        assert [r["seed"] for r in cell["per_seed"]] == [0]
        assert 0 < cell["mean"]["all"]["loss"] < 0.5
    weights = result["baselines"]["autoemb"]["binary"]["per_seed"][0]["weights"]
    assert np.shape(weights["user"]["weights"]) == (10, 2)
    pictures = {path.name for path in (run / "plots").iterdir()}
    assert pictures == {
        "along_binary.png",
        "loss_binary.png",
        "accuracy_binary.png",
        "weights_binary.png",
        "sizes.png",
    }
    assert not (run / "work").exists()
    assert result_table(result).row_count == 7
    page = write_report([run], run.parent / "report.html").read_text()
    # The report adds accuracy against memory.
    assert page.count("<img") == len(pictures) + 1


def test_figures_are_means_over_seeds():
    losses = [0.25, 0.75]
    summary = summarize_stream_records(
        {
            "method": "fixed_8",
            "task": "binary",
            "share": 1.0,
            "seed": seed,
            "metrics": {"test": {"loss": loss}},
        }
        for seed, loss in enumerate(losses)
    )
    cell = summary["fixed_8"]["binary"]
    assert [r["seed"] for r in cell["per_seed"]] == [0, 1]
    assert cell["mean"]["test"]["loss"] == 0.5
    assert cell["std"]["test"]["loss"] == pytest.approx(np.std(losses, ddof=1))


def test_the_compact_model_is_within_its_budget(run):
    result, sizes = _result(run), SizeAssignment.load(run / "sizes.npz")
    stream = load_stream("synthetic", order="permuted")
    rows = {n: v.capacity for n, v in stream.vocabularies.items()}
    full = 4 * 8 * sum(rows.values())
    used = sum(result["bytes"][p] for p in ("values", "index", "projections"))
    assert 0.5 * full < used <= 0.8 * full
    for name, count in rows.items():
        assert set(sizes.sizes(name)) <= {2, 8}
        # Rows of one size stand together, the unknown row first.
        assert len(sizes.sizes(name)) == count
        vocabulary = Vocabulary.load(run / "vocabulary" / f"{name}.npz")
        raw = stream.vocabularies[name].vocabulary().raw_ids
        assert sorted(vocabulary.raw_ids) == sorted(raw)


def test_a_prequential_run_is_not_evaluated_again(run):
    saved = SavedRun.load(run)
    assert isinstance(saved.config, StreamExperimentConfig)
    assert saved.model.tables.keys() == {"user", "item"}
    with pytest.raises(ValueError, match="were made along the stream"):
        saved.evaluate()


def test_a_preset_of_a_stream_is_measured_in_hindsight(run, tmp_path):
    preset_of_run(run, tmp_path / "mine")
    saved = SavedRun.find(tmp_path / "mine")
    metrics = saved.evaluate()
    assert set(metrics) == {"loss", "accuracy"}
    stream = load_stream("synthetic", order="permuted")
    batches = len(stream) // 1000
    part = slice(round(0.7 * batches) * 1000, batches * 1000)
    raw = {
        name: stream.vocabularies[name].vocabulary().raw(rows[part])
        for name, rows in stream.features.items()
    }
    label = task_labels(stream.rating, "binary")[part]
    predicted = saved.served.predict(raw)[:, 0]
    loss = float(np.mean((predicted - label) ** 2))
    assert metrics["loss"] == pytest.approx(loss, rel=1e-5)
    recorded = _result(run)["metrics"]["test"]
    assert saved.result["metrics"]["test"] == recorded
    card = (tmp_path / "mine" / "README.md").read_text()
    assert "only when the stream is replayed" in card
    assert f"{recorded['loss']:.4f} | " in card
    done = CliRunner().invoke(app, ["evaluate", str(tmp_path / "mine")])
    assert done.exit_code == 0, done.stderr
    assert "hindsight loss:" in done.stdout
    assert "replaying the stream: keras-emb run autoemb" in done.stdout


def test_rows_may_be_kept_free_for_ids_to_come(tmp_path):
    stream = load_stream("synthetic", order="permuted")
    rows = {n: len(v) + 7 for n, v in stream.vocabularies.items()}
    config = load_experiment(
        NAME,
        [
            *SETTINGS[:-3],
            "seeds=[0]",
            "methods=[autoemb_hard]",
            f"stream.options={{capacity: {rows}}}",
        ],
    )
    run_any_experiment(config, tmp_path / "run")
    preset = SavedRun.load(tmp_path / "run").served
    for name, table in preset.sizes.tables.items():
        assert table.rows == rows[name]
        # Every id keeps the row it got when it came up.
        ids = stream.vocabularies[name].vocabulary().raw_ids
        np.testing.assert_array_equal(preset.vocabularies[name].raw_ids, ids)
    items, _ = preset.recommend(preset.vocabularies["user"].raw_ids[:3], k=5)
    assert set(items.ravel()) <= set(preset.vocabularies["item"].raw_ids)


def test_a_killed_run_ends_the_same(run, tmp_path):
    out = tmp_path / "run"
    alone = ("methods=[autoemb_hard]",)
    for file in (
        "work/states/soft_binary_seed0/stream.npz",
        "work/states/autoemb_hard_0.8_past_binary_seed0/stream.npz",
        "work/states/autoemb_hard_0.8_rest_binary_seed0/stream.npz",
    ):
        process = _start(out, *alone)
        path = out.with_name("run.partial") / file
        deadline = time.monotonic() + 120
        while not path.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, f"{file} never came"
            time.sleep(0.002)
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    process = _start(out, *alone)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    assert _result(out)["sizes"] == _result(run)["sizes"]
    whole, resumed = (
        _result(folder)["baselines"]["autoemb_hard_0.8"]["binary"]["per_seed"]
        for folder in (run, out)
    )
    assert resumed[0]["metrics"] == whole[0]["metrics"]
    assert resumed[0]["by_popularity"] == whole[0]["by_popularity"]
    assert SizeAssignment.load(run / "sizes.npz").tables == (
        SizeAssignment.load(out / "sizes.npz").tables
    )


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("methods=[dense]", "`methods` must be out of"),
        ("tasks=[ranking]", "`tasks` must be out of"),
        ("pretrain_share=1.0", "`pretrain_share` must lie between 0 and 1"),
        ("initial_stddev=0", "`initial_stddev` must be positive"),
        ("seeds=[]", "`seeds` must be at least one"),
        ("regrow_every=-1", "`regrow_every` must be at least 0"),
        ("regrow_half_life=0", "`regrow_half_life` must be positive"),
        ("reserve=1.0", "`reserve` must be at least 0 and below 1"),
        ("export.share=0.3", "`export` must name one of"),
        ("surprise=1", "`surprise` is an unknown key"),
    ],
)
def test_wrong_settings_are_refused(override, message):
    with pytest.raises(ValueError, match=message):
        load_experiment(NAME, [override])


def test_every_experiment_of_the_zoo_can_be_read():
    kinds = {type(load_experiment(name)) for name in experiment_names()}
    assert kinds == {
        AblationConfig,
        ExperimentConfig,
        RankingExperimentConfig,
        StreamExperimentConfig,
    }
    config = load_experiment(NAME)
    assert StreamExperimentConfig.from_dict(config.to_dict()) == config


def test_scores_of_parts_add_up():
    rng = np.random.default_rng(0)
    predictions, labels = rng.random((60, 1)), rng.integers(0, 2, 60)
    features = {"user": np.arange(60) % 4}
    record = score_stream(
        predictions,
        labels,
        features,
        "binary",
        batch_size=10,
        first_test=40,
    )
    loss = (predictions[:, 0] - labels) ** 2
    metrics = record["metrics"]
    assert metrics["validation"]["loss"] == pytest.approx(loss[:40].mean())
    assert metrics["test"]["loss"] == pytest.approx(loss[40:].mean())
    assert metrics["all"]["loss"] == pytest.approx(loss.mean())
    never = record["by_popularity"]["user"]["all"]["loss"][0]
    # In the first batch nobody has been seen.
    assert never == pytest.approx(loss[:10].mean())


def test_weights_of_tenths_and_their_rank_correlation():
    counts = np.arange(41)
    weights = np.stack([1 - counts / 50, counts / 50], axis=1)
    found = weights_by_popularity(weights, counts)
    # Ids that were never seen have no popularity to speak of.
    np.testing.assert_allclose(found["popularity"][0], 2.5)
    np.testing.assert_allclose(found["weights"][0][1], 2.5 / 50)
    assert found["rank_correlation"] == {
        "smallest": pytest.approx(-1.0),
        "largest": pytest.approx(1.0),
    }
