import copy
import json
import math
import statistics

import numpy as np
import pytest

from keras_emb.compression import SizeAssignment
from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.result import (
    build_result,
    collect_records,
    merge_results,
    validate_result,
)
from keras_emb.experiments.size_summary import (
    popularity_deciles,
    summarize_sizes,
)
from tests.experiments.records import make_record, make_records

NUM_BYTES = {
    "dense": 2560,
    "values": 256,
    "index": 0,
    "projections": 0,
    "artifact_on_disk": 400,
}
SECONDS = dict.fromkeys(
    ["pretrain", "search", "retrain", "evaluate", "export"], 1.0
)


def make_result(seeds=(0, 1, 2), mse=None):
    config = ExperimentConfig.load(
        "demo", [f"seeds={list(seeds)}", "shares=[0.1]"]
    )
    assignment = SizeAssignment.from_sizes(
        {"user": np.array([0, 1, 4]), "item": np.array([2, 2])},
        {"user": 4, "item": 4},
    )
    return build_result(
        config,
        make_records(config, mse),
        assignment,
        popularity={"user": [0, 3, 9], "item": [5, 6]},
        split={"name": "random"},
        num_bytes=NUM_BYTES,
        seconds=SECONDS,
    )


def test_a_result_has_the_keys_of_schema_1():
    result = make_result()
    assert set(result) >= {
        "schema", "experiment", "method", "backbone", "dataset", "split",
        "seed", "budget", "metrics", "baselines", "sizes", "bytes",
        "seconds", "steps", "versions", "commit",
    }  # fmt: skip
    assert result["schema"] == 1
    assert result["method"] == "dnis_aligned_prefix"
    assert result["budget"] == {"share": 0.1, "parameters": 9}
    assert result["versions"]["keras"]
    assert result["sizes"]["histogram"] == [1, 1, 2, 0, 1]


def test_baselines_hold_mean_spread_and_every_seed():
    errors = {0: 0.81, 1: 0.84, 2: 0.80}
    result = make_result(mse=lambda method, share, seed: errors[seed])
    cell = result["baselines"]["uniform"]["0.1"]
    values = list(errors.values())
    assert cell["share"] == 0.1
    assert math.isclose(cell["mean"]["test"]["mse"], statistics.mean(values))
    assert math.isclose(cell["std"]["test"]["mse"], statistics.stdev(values))
    assert [record["seed"] for record in cell["per_seed"]] == [0, 1, 2]
    assert cell["mean"]["bytes"]["total"] == 4 * 64 + 40
    assert list(result["baselines"]["dense"]) == ["1"]
    assert result["metrics"]["test"]["mse"] == 0.81


def test_one_seed_has_no_spread():
    cell = make_result(seeds=[5])["baselines"]["dense"]["1"]
    assert cell["std"]["test"]["mse"] is None
    assert cell["per_seed"][0]["seed"] == 5


def test_a_result_survives_its_file(tmp_path):
    result = make_result()
    write_json(tmp_path / "result.json", result)
    again = read_json(tmp_path / "result.json")
    validate_result(again)
    assert again == result
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]


def test_json_takes_numpy_and_nulls_what_is_not_finite(tmp_path):
    path = tmp_path / "values.json"
    write_json(path, {"a": np.float32(0.5), "b": np.arange(2), "c": math.nan})
    assert json.loads(path.read_text()) == {"a": 0.5, "b": [0, 1], "c": None}
    path.write_text("{")
    with pytest.raises(ValueError, match="values.json is not a JSON file"):
        read_json(path)


def test_a_diverged_baseline_does_not_spoil_the_rest(tmp_path):
    def mse(method, share, seed):
        return math.nan if method == "uniform" and seed == 1 else 0.8

    write_json(tmp_path / "result.json", make_result(mse=mse))
    result = read_json(tmp_path / "result.json")
    validate_result(result)
    assert result["baselines"]["uniform"]["0.1"]["mean"]["test"]["mse"] is None
    merged = merge_results([result])
    assert math.isnan(
        merged["baselines"]["uniform"]["0.1"]["mean"]["test"]["mse"]
    )
    assert merged["baselines"]["dense"] == result["baselines"]["dense"]


def test_merging_seeds_equals_running_them_together():
    together = make_result([0, 1, 2])
    merged = merge_results([make_result([0]), make_result([1, 2])])
    assert merged["baselines"] == together["baselines"]
    assert len(collect_records(merged)) == len(collect_records(together))


def test_merging_refuses_what_does_not_belong_together():
    first, second = make_result([0]), make_result([1])
    with pytest.raises(ValueError, match="must not be empty"):
        merge_results([])
    with pytest.raises(ValueError, match="repeat.*more than once"):
        merge_results([first, first])
    with pytest.raises(ValueError, match="`backbone` must be the same"):
        merge_results([first, {**second, "backbone": "mlp"}])


@pytest.mark.parametrize(
    "path",
    [
        ("commit",),
        ("metrics", "test"),
        ("bytes", "artifact_on_disk"),
        ("seconds", "search"),
        ("sizes", "by_popularity_decile"),
        ("baselines", "dense", "1", "per_seed"),
    ],
)
def test_validation_names_what_is_missing(path):
    result = copy.deepcopy(make_result())
    inner = result
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    with pytest.raises(ValueError, match=f"`{path[-1]}` is missing"):
        validate_result(result)


def test_validation_names_what_is_wrong():
    result = make_result()
    with pytest.raises(ValueError, match="`schema` of a result must be 1"):
        validate_result({**result, "schema": 2})
    with pytest.raises(ValueError, match="`seed` of a result is of the wrong"):
        validate_result({**result, "seed": "0"})
    with pytest.raises(ValueError, match="`metrics.test.mse`.*finite"):
        validate_result(
            {**result, "metrics": {"validation": {}, "test": {"mse": None}}}
        )


def test_incomplete_records_and_a_missing_export_are_refused():
    config = ExperimentConfig.load("demo")
    arguments = dict(
        popularity={"user": [1]},
        split={},
        num_bytes=NUM_BYTES,
        seconds=SECONDS,
    )
    assignment = SizeAssignment.uniform({"user": (1, 4)}, 1)
    broken = make_record()
    del broken["metrics"]["test"]["mae"]
    with pytest.raises(ValueError, match="`mae` is missing in record dense/1"):
        build_result(config, [broken], assignment, **arguments)
    with pytest.raises(ValueError, match="none of method 'dnis_aligned"):
        build_result(config, [make_record()], assignment, **arguments)


def test_deciles_of_popularity_are_equal_tenths():
    popularity = np.random.default_rng(0).permutation(1000)
    deciles = popularity_deciles(popularity)
    np.testing.assert_array_equal(deciles, (999 - popularity) // 100)


def test_sizes_by_decile_are_means_within_each_table():
    popularity = {"a": np.arange(20)[::-1], "b": np.arange(10)[::-1]}
    sizes = {"a": np.arange(20)[::-1], "b": np.full(10, 4)}
    summary = summarize_sizes(sizes, popularity)
    expected = [
        (19 - 2 * decile + 18 - 2 * decile + 4) / 3 for decile in range(10)
    ]
    np.testing.assert_allclose(summary["by_popularity_decile"], expected)
    assert (summary["min"], summary["max"]) == (0, 19)
    assert sum(summary["histogram"]) == 30
    with pytest.raises(ValueError, match="`popularity`.*table 'b'"):
        summarize_sizes(sizes, {"a": popularity["a"]})
