"""The presets that come with the library."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from keras_emb import EmbeddingSizeModel, SizeAssignment, memory_report
from keras_emb.datasets import load_ratings
from keras_emb.experiments.any_experiment import (
    load_experiment,
    make_experiment,
)
from keras_emb.experiments.saved_run import SavedRun
from keras_emb.presets.card import write_card
from keras_emb.zoo.presets import find_preset, preset_names

NAMES = preset_names()
ROOT = Path(__file__).parents[2]


def _first_ids(model):
    return {
        name: np.full((1, *model.model.input[name].shape[1:]), ids.raw_ids[0])
        for name, ids in model.vocabularies.items()
    }


def _recommends(model):
    return set(model.vocabularies) == {"user", "item"}


@pytest.fixture(scope="module", params=NAMES)
def model(request):
    started = time.monotonic()
    found = EmbeddingSizeModel.from_preset(request.param)
    found.predict(_first_ids(found))
    if _recommends(found):
        found.recommend(_first_ids(found)["user"])
    # The promise is ten seconds.
    assert time.monotonic() - started < 60
    return found


def test_there_are_presets_of_every_kind():
    methods = {EmbeddingSizeModel.presets[name]["method"] for name in NAMES}
    assert methods >= {"autoemb_hard", "ciess_aligned", "dnis_aligned_prefix"}


def test_the_card_is_that_of_the_files(model):
    folder = find_preset(model.metadata["name"])
    files = {
        path.relative_to(folder).as_posix(): path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file() and path.name not in ("README.md", "metadata.json")
    }
    described = model.metadata["files"]
    assert files == {name: of["bytes"] for name, of in described.items()}
    card = write_card(model.metadata, model.vocabularies, "sizes.png")
    assert (folder / "README.md").read_text() == card
    memory = memory_report(model.model)
    assert memory.as_dict() == model.metadata["bytes"]
    assert f"| all weights | {memory.total:,} |" in card
    assert sum(files.values()) < 1_100_000
    assert (
        model.metadata["bytes"]["total"]
        < 0.5 * (model.metadata["dense_twin"]["bytes"])
    )


def test_the_example_on_the_card_runs(model):
    card = find_preset(model.metadata["name"]) / "README.md"
    (example,) = re.findall(r"```python\n(.*?)```", card.read_text(), re.DOTALL)
    pasted = {}
    exec(compile(example, str(card), "exec"), pasted)
    assert pasted["model"].metadata == model.metadata
    (call,) = re.findall(r"^model\.predict\(.*\)$", example, re.MULTILINE)
    answers = eval(call, pasted)
    assert len(answers) == 2 and np.isfinite(answers).all()


def test_the_data_are_not_in_it_and_are_acknowledged(model):
    assert memory_report(model.model).graph == 0
    card = (find_preset(model.metadata["name"]) / "README.md").read_text()
    assert "GroupLens" in card and "10.1145/2827872" in card
    assert "research" in card


def test_the_command_runs_what_was_run(model):
    words = shlex.split(model.metadata["command"])
    assert words[:2] == ["keras-emb", "run"]
    assert words[-2:] == ["--to-preset", model.metadata["name"]]
    settings = [
        word
        for before, word in zip(words, words[1:], strict=False)
        if before == "--set"
    ]
    config = load_experiment(words[2], settings)
    assert config == make_experiment(model.metadata["config"])
    assert model.metadata["commit"]


def test_the_sizes_are_those_of_the_rows(model):
    sizes = SizeAssignment.from_preset(model.metadata["name"])
    assert sizes.num_parameters == model.metadata["budget"]["parameters"]
    assert sizes.kept_share <= model.metadata["budget"]["share"]
    assert sizes.kept_share == model.metadata["kept_share"]
    rows = {len(vocabulary) for vocabulary in model.vocabularies.values()}
    assert {table.rows for table in sizes.tables.values()} == rows


def test_what_is_exported_is_as_large_as_the_card_says(model, tmp_path):
    for precision, figures in model.metadata["saved_model"].items():
        folder = model.export(tmp_path / precision, precision=precision)
        found = sum(
            path.stat().st_size for path in folder.rglob("*") if path.is_file()
        )
        # Names that Keras numbers are part of the graph.
        assert found == pytest.approx(figures["bytes"], rel=0.01)


@pytest.mark.parametrize("backbone", ["matrix_factorization", "neumf"])
def test_a_table_of_five_percent_is_a_file_of_seven(backbone):
    name = f"dnis_{backbone}_movielens_1m_95"
    metadata = EmbeddingSizeModel.presets[name]
    layers = metadata["bytes"]["dense_layers"]
    tables = metadata["dense_twin"]["bytes"] - layers
    for precision, share in (("float32", 0.07), ("int8", 0.03)):
        found = metadata["saved_model"][precision]["bytes"]
        assert found <= share * tables + layers + 100_000


@pytest.mark.skipif(
    not os.environ.get("KERAS_EMB_DATA"), reason="KERAS_EMB_DATA is not set"
)
def test_the_figures_on_the_card_are_found_again(model):
    saved = SavedRun.of_preset(model)
    metrics = saved.evaluate()
    assert metrics == pytest.approx(
        model.metadata["metrics"][saved.measured_part], rel=1e-3
    )
    if not _recommends(model):
        return
    raw = load_ratings(model.metadata["dataset"])
    assert set(model.vocabularies["user"].raw_ids) <= set(raw.user)
    assert set(model.vocabularies["item"].raw_ids) <= set(raw.item)


def test_a_wheel_holds_every_file_of_every_preset(tmp_path):
    source = tmp_path / "source"
    source.mkdir()
    for name in ("keras_emb", "zoo", "datasets"):
        shutil.copytree(
            ROOT / name,
            source / name,
            ignore=shutil.ignore_patterns("__pycache__"),
        )
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = "import setuptools.build_meta as b; print(b.build_wheel('..'))"
    done = subprocess.run(
        [sys.executable, "-c", build],
        cwd=source,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    wheel = zipfile.ZipFile(tmp_path / done.stdout.split()[-1])
    packed = {
        info.filename: info.file_size
        for info in wheel.infolist()
        if info.filename.startswith("keras_emb/zoo/presets/")
    }
    expected = {
        f"keras_emb/zoo/presets/{path.relative_to(ROOT / 'zoo/presets')}": (
            path.stat().st_size
        )
        for path in (ROOT / "zoo" / "presets").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == expected
    assert len(packed) >= 8 * len(NAMES)


def test_lists_hold_no_item_twice(model):
    if not _recommends(model):
        pytest.skip("It scores what it is asked for, and lists nothing.")
    users = model.vocabularies["user"].raw_ids[:50]
    items, scores = model.recommend(users, k=20)
    assert all(len(set(row)) == 20 for row in items.tolist())
    assert (np.diff(scores, axis=1) <= 0).all()
    again = model.predict(
        {"user": np.repeat(users, 20), "item": items.reshape(-1)}
    )
    np.testing.assert_allclose(again[:, 0], scores.reshape(-1), 1e-3, 1e-4)
