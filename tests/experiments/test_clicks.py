"""Experiments on clicks."""

import json

import numpy as np
import pytest

from keras_emb.datasets import Clicks, Interactions
from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.experiments.run import run_experiment
from keras_emb.experiments.saved_run import SavedRun
from keras_emb.experiments.unit import Unit
from keras_emb.experiments.workbench import Workbench
from keras_emb.layers import MaskedEmbedding
from keras_emb.zoo import DeepFM
from tests.datasets.click_lines import criteo_lines

SMALL = [
    "backbone.embedding_dim=8",
    "backbone.options.hidden_units=[8]",
    "recipe.batch_size=128",
    "recipe.max_epochs=2",
    "search.search_epochs=2",
    "shares=[0.3]",
    "export.share=0.3",
]


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)
    codes = {
        name: (rows * random.random(800) ** 3).astype("int32")
        for name, rows in (("user", 60), ("item", 40), ("hour", 5))
    }
    codes["genres"] = random.integers(-1, 6, (800, 3)).astype("int32")
    clicks = Clicks(
        codes,
        {name: np.arange(column.max() + 1) for name, column in codes.items()},
        (codes["item"] % 3 == 0).astype("float32"),
    )
    return Interactions.from_clicks(clicks)


@pytest.fixture(scope="module")
def bench(tmp_path_factory, data):
    config = ExperimentConfig.load(
        "dnis_deepfm_movielens_1m_click",
        [*SMALL, "methods=[dense, uniform, dnis, dnis_aligned_prefix]"],
    )
    folder = tmp_path_factory.mktemp("bench")
    return Workbench(config, data, folder, lambda line: None)


@pytest.mark.parametrize(
    "method", ["uniform", "autodim", "dnis", "dnis_aligned_prefix"]
)
def test_every_method_trains_a_model_of_clicks(bench, method):
    model, assignment, training = bench.build(Unit(method, 0.3, 0, 0))
    assert isinstance(model, DeepFM)
    assert assignment.kept_share <= 0.3
    assert set(model.tables) == {"user", "item", "hour", "genres"}
    for name, table in model.tables.items():
        assert isinstance(table, MaskedEmbedding)
        assert not table.values()[~assignment.mask(name)].any()
    assert {"logloss", "auc"} <= set(training.best)


def test_blocks_may_be_decades_of_popularity(bench):
    search = bench.models.dnis(0, 1.0)
    counts = np.concatenate(list(search.popularity.values()))
    decades = np.floor(np.log10(np.maximum(counts, 1)))
    expected = [int((decades == d).sum()) for d in (2, 1, 0)]
    assert search.block_sizes == expected
    assert search.alpha[8].shape == (3, 8)


def test_a_trial_may_search_otherwise(bench):
    usual = bench.models.dnis(0, 1.0)
    other = bench.models.dnis(0, 1.0, blocks="equal", num_blocks=2)
    assert other.alpha[8].shape == (2, 8)
    assert bench.models.dnis(0, 1.0) is usual
    assert bench.models.dnis(0, 1.0, blocks="equal", num_blocks=2) is other
    frozen = bench.models.dnis(0, 1.0, trainable="tables")
    dense = bench.models.dense(0)[0]
    kernels = [
        (layer.kernel.numpy(), dense.get_layer(layer.name).kernel.numpy())
        for layer in frozen.merged.layers
        if hasattr(layer, "kernel")
    ]
    assert kernels
    for own, kept in kernels:
        np.testing.assert_array_equal(own, kept)


def test_a_unit_is_searched_as_its_trial_says(data, tmp_path):
    grid = "tuning_grid={dnis: [{learning_rate: 1.0, rounds: 1, search_rate: 1"
    config = ExperimentConfig.load(
        "dnis_deepfm_movielens_1m_click",
        [
            *SMALL,
            "methods=[dense, dnis]",
            "tuning_trials=1",
            "export.method=dnis",
            f"{grid}, search: {{blocks: equal, num_blocks: 2}}}}]}}",
        ],
    )
    bench = Workbench(config, data, tmp_path, lambda line: None)
    bench.record(Unit("dnis", 0.3, 0, 0))
    search = bench.search_of(Unit("dnis", 0.3, 0, 0))
    assert search.alpha[8].shape == (2, 8)


def test_the_model_starts_from_the_mean_click(bench, data):
    rate = data.train.label.mean()
    model = bench.models.backbone(0)
    np.testing.assert_allclose(
        float(model.get_layer("logit").bias.numpy()),
        np.log(rate / (1 - rate)),
        rtol=1e-5,
    )


def test_a_record_has_the_metrics_of_clicks(bench):
    record = bench.record(Unit("uniform", 0.3, 0, 0))
    for part in ("validation", "test"):
        assert set(record["metrics"][part]) == {"logloss", "auc"}
    # One table a field: rows are renumbered, and next to nothing indexes.
    assert record["bytes"]["index"] < 200


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("criteo")
    lines = criteo_lines(600)
    (folder / "sample.train").write_text("\n".join(lines) + "\n")
    config = ExperimentConfig.load(
        "dnis_deepfm_criteo_sample",
        [*SMALL, "methods=[dense, dnis_aligned_prefix]"],
    )
    out = tmp_path_factory.mktemp("runs") / "run"
    run_experiment(config, out, data_dir=str(folder))
    return out, str(folder)


def test_a_run_on_clicks_is_measured_again(run):
    out, folder = run
    saved = SavedRun.load(out)
    metrics = saved.evaluate(folder)
    assert metrics == pytest.approx(saved.result["metrics"]["test"])
    assert set(metrics) == {"logloss", "auc"}
    assert saved.assignment.kept_share <= 0.3
    assert len(saved.vocabularies) == 39
    assert {p.stem for p in (out / "plots").glob("*.png")} == {
        "alpha",
        "pruning",
        "quality",
        "sizes",
    }
    json.loads((out / "result.json").read_text())


def test_one_table_of_all_fields_keeps_an_index(run):
    num_bytes = SavedRun.load(run[0]).result["bytes"]
    rows = sum(len(v) for v in SavedRun.load(run[0]).vocabularies.values())
    assert rows <= num_bytes["index"] <= 5 * rows
