import json
import shlex

import pytest
from typer.testing import CliRunner

from keras_emb import EmbeddingSizeModel, cli
from keras_emb.experiments.any_experiment import load_experiment
from keras_emb.experiments.run_preset import preset_of_run, rebuild_command
from keras_emb.experiments.saved_run import SavedRun
from tests.experiments.test_saved_run import run  # noqa: F401


@pytest.fixture(scope="module")
def preset(run, tmp_path_factory):  # noqa: F811
    folder = tmp_path_factory.mktemp("presets") / "mine"
    preset_of_run(run, folder)
    return folder


def test_a_preset_of_a_run_measures_as_the_run_did(run, preset):  # noqa: F811
    saved, result = SavedRun.find(preset), SavedRun.load(run).result
    assert saved.evaluate() == pytest.approx(result["metrics"]["test"])
    metadata = EmbeddingSizeModel.from_preset(preset).metadata
    for key in ("experiment", "method", "seed", "split", "commit", "sizes"):
        assert metadata[key] == result[key]
    twin = metadata["dense_twin"]
    first = result["baselines"]["dense"]["1"]["per_seed"][0]
    assert twin["metrics"] == first["metrics"]["test"]
    card = (preset / "README.md").read_text()
    assert f"| mse | {result['metrics']['test']['mse']:.4f} |" in card


def test_a_model_that_measures_otherwise_is_no_preset(
    run,  # noqa: F811
    tmp_path,
    monkeypatch,
):
    load = SavedRun.load

    def other(folder):
        saved = load(folder)
        saved.result["metrics"]["test"]["mse"] *= 1.01
        return saved

    monkeypatch.setattr(SavedRun, "load", other)
    with pytest.raises(ValueError, match="must measure as its run did"):
        preset_of_run(run, tmp_path / "mine")
    assert not (tmp_path / "mine").exists()


def test_a_preset_with_other_figures_is_an_error(preset):
    saved = SavedRun.find(preset)
    saved.result["metrics"]["test"]["mse"] *= 1.0005
    saved.evaluate()
    saved.result["metrics"]["test"]["mse"] *= 1.001
    with pytest.raises(ValueError, match="test mse is .* and was"):
        saved.evaluate()


def test_a_preset_of_nobodys_experiment_cannot_be_evaluated(preset, tmp_path):
    model = EmbeddingSizeModel.from_preset(preset)
    EmbeddingSizeModel(
        model.model, model.vocabularies, model.sizes
    ).save_to_preset(tmp_path / "own")
    with pytest.raises(ValueError, match="that an experiment made"):
        SavedRun.find(tmp_path / "own")


@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["seeds=[3]", "methods=[dense, dnis]", "export.method=dnis"],
        ["dataset.options={min_item_ratings: 2}", "search.l1=1e-3"],
        ["backbone.options={reduction: sum}", "recipe.patience=2"],
    ],
)
def test_the_command_on_the_card_runs_the_same_experiment(overrides):
    config = load_experiment("demo", overrides)
    words = shlex.split(rebuild_command(config, "mine"))
    assert words[:3] == ["keras-emb", "run", "demo"]
    assert words[-2:] == ["--to-preset", "mine"]
    settings = [
        word
        for before, word in zip(words, words[1:], strict=False)
        if before == "--set"
    ]
    assert len(settings) == len(overrides)
    assert load_experiment("demo", settings) == config


def test_the_command_says_what_is_gone():
    name = "dnis_neumf_movielens_1m"
    grid = "{dnis: [{learning_rate: 1.0, rounds: 1, search_rate: 0.5}]}"
    config = load_experiment(name, ["tuning_trials=1", f"tuning_grid={grid}"])
    words = shlex.split(rebuild_command(config, "mine"))
    assert load_experiment(name, [words[4], words[6]]) == config


def test_the_command_line_knows_presets(run, preset, tmp_path):  # noqa: F811
    def invoke(*arguments):
        result = CliRunner().invoke(cli.app, [str(item) for item in arguments])
        assert result.exit_code == 0, result.output
        return result.output

    assert "test mse:" in invoke("evaluate", preset)
    exported = invoke("export", preset, "--to", tmp_path / "served").strip()
    assert exported.endswith("served/1")
    small = tmp_path / "small" / "mine.tflite"
    options = ["--to", small, "--format", "litert"]
    assert invoke("export", preset, *options).strip() == str(small)
    assert small.read_bytes()[4:8] == b"TFL3"
    with pytest.raises(ValueError, match="must be float32 for LiteRT"):
        command = ["export", preset, *options, "--precision", "int8"]
        cli.app([str(word) for word in command], standalone_mode=False)
    # A complete run that is resumed does nothing but become a preset.
    config = json.loads((preset / "metadata.json").read_text())["config"]
    settings = shlex.split(rebuild_command(SavedRun.load(run).config, "x"))
    output = invoke(
        *settings[1:-2],
        "--out",
        run,
        "--resume",
        "--to-preset",
        tmp_path / "again",
    )
    assert "again/model.weights.h5" in output
    again = EmbeddingSizeModel.from_preset(tmp_path / "again")
    assert again.metadata["config"] == config


def test_presets_are_listed():
    result = CliRunner().invoke(cli.app, ["list", "presets"])
    assert result.output.split() == sorted(EmbeddingSizeModel.presets)
