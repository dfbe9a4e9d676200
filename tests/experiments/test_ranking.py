import json
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import tensorflow as tf
from typer.testing import CliRunner

from keras_emb.cli import app
from keras_emb.compression import SizeAssignment
from keras_emb.evaluation import FullRanking
from keras_emb.experiments.any_experiment import load_experiment
from keras_emb.experiments.configs import experiment_names
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.ranking import (
    RankingExperimentConfig,
    ranking_bench,
)
from keras_emb.experiments.ranking.ranking_bench import RankingBench
from keras_emb.experiments.ranking.trials import ranking_trials
from keras_emb.experiments.report import write_report
from keras_emb.experiments.result import validate_result
from keras_emb.experiments.run_preset import preset_of_run
from keras_emb.experiments.saved_run import SavedRun
from keras_emb.experiments.tables import comparison_table, result_table
from keras_emb.layers import find_tables
from keras_emb.presets import EmbeddingSizeModel
from keras_emb.search.ciess import AgentError

NAME = "ciess_lightgcn_movielens_100k"
SETTINGS = [
    "dataset.name=synthetic",
    "backbone.embedding_dim=8",
    "recipe.batch_size=64",
    "recipe.max_steps=20",
    "recipe.validate_every=10",
    "pretrain_steps=20",
    "searches.ciess.evaluator_steps=2",
    "episodes=2",
    "iterations=2",
    "td3.hidden_units=[8, 8]",
    "td3.batch_size=64",
    "trials=2",
    "shares=[0.25]",
    "export.share=0.25",
    "seeds=[0, 1]",
    "methods=[dense, truncated_uniform, pep, ciess, ciess_aligned]",
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


def _finish(out, *settings):
    process = _start(out, *settings)
    _, errors = process.communicate()
    assert process.returncode == 0, errors


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    out = tmp_path_factory.mktemp("ranking") / "run"
    _finish(out)
    return out


def _result(out):
    return json.loads((out / "result.json").read_text())


def test_a_run_leaves_everything(run, tmp_path):
    result = _result(run)
    validate_result(result)
    config = load_experiment(run / "config.yaml")
    assert isinstance(config, RankingExperimentConfig)
    assert set(result["baselines"]) == set(config.methods)
    for method, of_method in result["baselines"].items():
        shares = {cell["share"] for cell in of_method.values()}
        assert shares == ({1.0} if method == "dense" else {0.25})
        for cell in of_method.values():
            assert [r["seed"] for r in cell["per_seed"]] == [0, 1]
            assert 0 <= cell["mean"]["test"]["ndcg@20"] <= 1
    full = result["baselines"]["dense"]["1"]["mean"]["parameters"]
    for method, of_method in result["baselines"].items():
        for cell in of_method.values():
            kept = cell["mean"]["parameters"]
            assert kept <= cell["share"] * full, method
    for name in ("model.keras", "sizes.npz", "history.csv"):
        assert (run / name).stat().st_size > 0
    assert not (run / "work").exists()
    trace = (run / "history.csv").read_text().splitlines()
    assert len(trace) == 1 + 2 * 2 * 2
    plots = {path.stem for path in (run / "plots").glob("*.png")}
    assert plots == {"quality", "search", "sizes"}
    assert "NDCG@20" in result_table(result).title
    assert len(comparison_table(result).rows) == 5
    page = write_report([run], tmp_path / "report.html").read_text()
    assert "test ndcg@20" in page


def test_the_artifact_is_the_model_measured(run):
    result = _result(run)
    assignment = SizeAssignment.load(run / "sizes.npz")
    assert assignment.num_parameters == result["budget"]["parameters"]
    assert set(assignment.tables) == {"user", "item"}
    metrics = SavedRun.load(run).evaluate()
    assert metrics == pytest.approx(result["metrics"]["test"])
    served = tf.saved_model.load(str(run / "saved_model" / "1"))
    model = SavedRun.load(run).model
    ids = {"user": np.array([1, 2], "int32"), "item": np.array([3, 1], "int32")}
    answer = served.signatures["serving_default"](
        **{name: tf.constant(rows) for name, rows in ids.items()}
    )
    (scores,) = answer.values()
    np.testing.assert_allclose(scores, model(ids), 1e-5, 1e-7)


def test_an_export_stores_the_graph_or_what_it_was_propagated_for(
    run, tmp_path
):
    ids = {"user": np.array([1, 2]), "item": np.array([3, 1])}
    answers = []
    for option in ([], ["--precompute"]):
        words = ["export", str(run), "--to", str(tmp_path / "served"), *option]
        done = CliRunner().invoke(app, words)
        assert done.exit_code == 0, done.stderr
        served = tf.saved_model.load(done.stdout.split()[-1])
        answer = served.signatures["serving_default"](
            **{name: tf.constant(rows) for name, rows in ids.items()}
        )
        answers.append(answer["score"])
    np.testing.assert_allclose(answers[0], answers[1], 1e-4, 1e-7)


def test_a_preset_holds_vectors_and_not_the_training_pairs(run, tmp_path):
    preset_of_run(run, tmp_path / "mine")
    preset = EmbeddingSizeModel.from_preset(tmp_path / "mine")
    graph = preset.metadata["graph_backbone"]
    model = SavedRun.load(run).model
    assert graph["graph"] == sum(
        weight.numpy().nbytes for weight in model.propagation.graph_weights
    )
    assert graph["vectors"] == preset.metadata["bytes"]["total"]
    assert set(find_tables(preset.model)) == {"user_vectors", "item_vectors"}
    metrics = SavedRun.find(tmp_path / "mine").evaluate()
    assert metrics == pytest.approx(
        _result(run)["metrics"]["test"], rel=1e-3, abs=1e-9
    )
    assert "propagated vectors" in (tmp_path / "mine/README.md").read_text()
    assert preset.sizes.tables.keys() == {"user", "item"}


def test_test_figures_are_of_the_test_part(run):
    config = load_experiment(run / "config.yaml")
    data = load_interactions(config.dataset)
    ranking = FullRanking(data, "test", config.cutoffs)
    metrics = ranking(SavedRun.load(run).model).metrics
    recorded = _result(run)["metrics"]
    assert metrics["recall@20"] == pytest.approx(recorded["test"]["recall@20"])
    assert recorded["validation"] != recorded["test"]


def test_a_killed_run_ends_as_if_it_had_not_been(run, tmp_path):
    out = tmp_path / "killed"
    units = tmp_path / "killed.partial" / "work" / "units"
    alone = ("methods=[ciess, pep]", "export.method=pep", "seeds=[0]")
    process = _start(out, *alone)
    while not any(units.glob("pep_*.json")):
        assert process.poll() is None, process.stderr.read()
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    _finish(out, *alone)

    def figures(folder):
        return {
            (method, share): (
                cell["per_seed"][0]["metrics"]["test"],
                cell["per_seed"][0]["parameters"],
            )
            for method, of_method in _result(folder)["baselines"].items()
            for share, cell in of_method.items()
        }

    found = figures(out)
    assert found.keys() == {("ciess", "0.25"), ("pep", "0.25")}
    assert found.items() <= figures(run).items()
    # The search was over before the run was killed: its trace is there too.
    _, *trace = (out / "history.csv").read_text().splitlines()
    assert len(trace) == 2 * 2
    assert set(trace) <= set((run / "history.csv").read_text().splitlines())


def test_what_came_before_a_training_is_counted(run):
    baselines = _result(run)["baselines"]

    def before(method):
        (cell,) = baselines[method].values()
        return set(cell["per_seed"][0]["seconds"]) - {"retrain", "evaluate"}

    assert before("dense") == set()
    assert before("truncated_uniform") == {"pretrain"}
    assert before("pep") == {"search"}
    assert before("ciess") == before("ciess_aligned") == {"pretrain", "search"}


def test_only_what_validation_chose_is_tested(tmp_path):
    config = load_experiment(
        NAME,
        [*SETTINGS, "methods=[uniform]", "export.method=uniform"],
    )
    data = load_interactions(config.dataset)
    records = RankingBench(config, data, tmp_path, print).run()
    trials = {}
    for path in (tmp_path / "units").glob("uniform_*seed0*.json"):
        record = json.loads(path.read_text())
        trials[record["trial"]["width"]] = record["metrics"]
    assert len(trials) == 2
    chosen = records[0]["trial"]["width"]
    (lost,) = (m for width, m in trials.items() if width != chosen)
    assert set(lost) == {"validation"}
    assert set(trials[chosen]) == {"validation", "test"}
    assert set(records[1]["metrics"]) == {"validation", "test"}
    again = RankingBench(config, data, tmp_path, print).run()
    assert again == records


def test_a_seed_that_misses_the_chosen_mask_takes_another(
    tmp_path, monkeypatch
):
    config = load_experiment(
        NAME,
        [
            *SETTINGS,
            "methods=[uniform]",
            "shares=[0.25]",
            "export.method=uniform",
        ],
    )
    data = load_interactions(config.dataset)
    reached = {0: {0, 1}, 1: {0, 1}}
    monkeypatch.setattr(
        RankingBench,
        "_is_possible",
        lambda self, unit: unit.trial in reached[unit.seed],
    )
    bench = RankingBench(config, data, tmp_path, print)
    first, second = bench.run()
    chosen = bench.chosen("uniform", 0.25)
    assert second["trial"] == first["trial"]
    reached[1] = {1 - chosen.trial}
    bench = RankingBench(config, data, tmp_path, print)
    again, other = bench.run()
    assert again == first
    assert other["trial"] != first["trial"]
    assert set(other["metrics"]) == {"validation", "test"}
    assert bench.chosen("uniform", 0.25) == chosen
    reached[1] = set()
    with pytest.raises(ValueError, match="no mask of share 0.25 at seed 1"):
        RankingBench(config, data, tmp_path, print).run()


def test_a_share_that_pep_does_not_reach_is_said(tmp_path, monkeypatch):
    monkeypatch.setattr(ranking_bench, "_PEP_STEPS", 10)
    config = load_experiment(
        NAME, [*SETTINGS, "methods=[pep]", "export.method=pep", "trials=1"]
    )
    data = load_interactions(config.dataset)
    news = []
    bench = RankingBench(config, data, tmp_path, news.append)
    with pytest.raises(ValueError, match="pep reached no mask of share 0.25"):
        bench.run()
    assert any("After 10 steps" in line for line in news)


@pytest.mark.parametrize("falls", [True, False])
def test_the_rate_of_a_search_of_pep_falls_or_stays(
    tmp_path, monkeypatch, falls
):
    class Made(Exception):
        pass

    def search(shares, *, recipe, **settings):
        raise Made(recipe)

    monkeypatch.setattr(ranking_bench, "PEP", search)
    config = load_experiment(
        NAME,
        [
            *SETTINGS,
            "methods=[pep]",
            "export.method=pep",
            f"pep_rate_falls={str(falls).lower()}",
        ],
    )
    data = load_interactions(config.dataset)
    with pytest.raises(Made) as made:
        RankingBench(config, data, tmp_path, print).run()
    (recipe,) = made.value.args
    assert config.recipe.decay < 1
    assert recipe.decay == (config.recipe.decay if falls else 1.0)
    assert recipe.learning_rate == config.recipe.learning_rate


def test_candidates_are_valued_as_the_experiment_says(tmp_path, monkeypatch):
    class Made(Exception):
        pass

    class Search:
        def __init__(self, budget, *, evaluator, **settings):
            self.evaluator, self.settings = evaluator, settings

        def explore(self, model, interactions, **options):
            evaluator = self.evaluator(model, interactions)
            raise Made(evaluator.fingerprint, self.settings)

    monkeypatch.setattr(ranking_bench, "CIESS", Search)
    config = load_experiment(
        NAME,
        [*SETTINGS, "cutoffs=[3, 7]", "searches.ciess_aligned.equalize=true"],
    )
    bench = RankingBench(
        config, load_interactions(config.dataset), tmp_path, print
    )
    first = config.recipe.learning_rate
    for method, rate in (
        ("ciess", first),
        ("ciess_aligned", first * config.aligned_rate),
    ):
        with pytest.raises(Made) as made:
            bench.search(method)
        fingerprint, settings = made.value.args
        assert settings["equalize"] == (method == "ciess_aligned")
        assert fingerprint["cutoffs"] == [3, 7]
        assert fingerprint["recipe"]["learning_rate"] == pytest.approx(rate)


def test_the_extra_is_asked_for_before_anything_is_trained(
    tmp_path, monkeypatch
):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    config = load_experiment(NAME, SETTINGS)
    with pytest.raises(AgentError, match=r"pip install keras_emb\[ciess\]"):
        RankingBench(config, load_interactions(config.dataset), tmp_path, print)


def test_experiments_of_the_zoo_can_be_read():
    names = [name for name in experiment_names() if name.startswith("ciess")]
    assert names
    for name in names:
        config = load_experiment(name)
        assert isinstance(config, RankingExperimentConfig)
        assert config.experiment == name
        assert RankingExperimentConfig.from_dict(config.to_dict()) == config


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method=dnis", "unknown key|missing"),
        ("methods=[dense, ciess_strange]", "`methods` must be out of"),
        ("shares=[1.5]", "`shares` must be at least one number"),
        ("seeds=[]", "`seeds` must be at least one"),
        ("trials=0", "`trials` must be at least 1"),
        ("export.share=0.3", "`export` must name"),
        ("searches.ciess.evaluator=guess", "`evaluator` of a search"),
        ("searches.ciess.exploration.noise=loud", "must be one of"),
        ("recipe.batch_size=0", "`batch_size` must be an integer of at"),
        ("trials=6", "`trials` must be at most 5 for"),
        ("shares=[0.05, 0.001]", "`shares` must leave every row a coord"),
        ("searches.ciess.evaluator_steps=0", "`evaluator_steps` of the"),
        ("searches.ciess.equalize=true", "`equalize` of a search needs"),
        ("backbone.name=lightgnc", "`backbone.name` must be one of"),
    ],
)
def test_wrong_settings_are_refused(override, message):
    with pytest.raises(ValueError, match=message):
        load_experiment(NAME, [override])


def test_every_method_has_as_many_trials():
    for method in ("dense", "uniform", "mixed_random", "power_rule"):
        trials = ranking_trials(method, 3)
        assert len({json.dumps(trial) for trial in trials}) == 3
    with pytest.raises(ValueError, match="`trials` must be at most 5"):
        ranking_trials("dense", 6)
