import dataclasses

import numpy as np
import pytest

from keras_emb.datasets import Interactions, synthetic
from keras_emb.experiments.configs import ExperimentConfig, ExportConfig
from keras_emb.experiments.trials import method_trials
from keras_emb.experiments.unit import Unit
from keras_emb.experiments.workbench import Workbench
from keras_emb.layers import MaskedEmbedding
from keras_emb.zoo import MatrixFactorization

METHODS = (
    "uniform",
    "truncated_uniform",
    "magnitude",
    "magnitude_aligned",
    "power_rule",
    "random",
    "dnis",
    "dnis_aligned_mask",
    "dnis_aligned_prefix",
)


def make_bench(folder, **changes):
    config = ExperimentConfig.load(
        "demo",
        [
            "backbone.embedding_dim=8",
            "recipe.batch_size=512",
            "recipe.max_epochs=2",
            "search.search_epochs=2",
            "tuning_trials=2",
            "shares=[0.3]",
            "export.share=0.3",
        ],
    )
    planted = synthetic(num_users=80, num_items=60, num_ratings=2000)
    data = Interactions.from_ratings(planted.ratings, "random")
    config = dataclasses.replace(config, **changes)
    return Workbench(config, data, folder, lambda line: None)


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    return make_bench(tmp_path_factory.mktemp("bench"))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_trains_the_sizes_it_decided(bench, method):
    model, assignment, _ = bench.build(Unit(method, 0.3, 0, 0))
    assert isinstance(model, MatrixFactorization)
    assert 0.1 < assignment.kept_share <= 0.3
    for name, table in model.tables.items():
        assert isinstance(table, MaskedEmbedding)
        values = table.values()
        assert not values[~assignment.mask(name)].any()
        assert np.mean(values[assignment.mask(name)] != 0) > 0.99


def test_the_settings_best_on_validation_are_repeated(tmp_path):
    bench = make_bench(
        tmp_path,
        methods=("dense", "uniform"),
        export=ExportConfig("uniform", 0.3),
        seeds=(3, 5),
    )
    records = bench.run()
    units = {
        (r["method"], r["seed"]): r["metrics"]["validation"]["mse"]
        for r in records
    }
    assert set(units) == {
        (method, seed) for method in ("dense", "uniform") for seed in (3, 5)
    }
    for method, share in (("dense", 1.0), ("uniform", 0.3)):
        trials = [
            bench.record(Unit(method, share, 3, trial)) for trial in (0, 1)
        ]
        best = min(r["metrics"]["validation"]["mse"] for r in trials)
        assert units[method, 3] == best
        chosen = bench.chosen(method, 0.3)
        assert bench.record(chosen)["metrics"]["validation"]["mse"] == best
        (second,) = (
            r for r in records if (r["method"], r["seed"]) == (method, 5)
        )
        settings = method_trials(method, 2)[chosen.trial]
        assert second["trial"] == settings


def test_a_record_that_stands_is_not_made_again(tmp_path):
    bench = make_bench(tmp_path)
    unit = Unit("uniform", 0.3, 0, 0)
    first = bench.record(unit)
    again = make_bench(tmp_path)
    again.build = None
    assert again.record(unit) == first


@pytest.mark.parametrize("method", ["dense", *METHODS])
def test_every_method_has_as_many_trials(method):
    assert len(method_trials(method, 4)) == 4
    assert len({str(t) for t in method_trials(method, 4)}) == 4
    with pytest.raises(ValueError, match="at most 4"):
        method_trials(method, 5)
