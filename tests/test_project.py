import configparser
import doctest
import importlib
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import pytest

import keras_emb

ROOT = Path(keras_emb.__file__).parent.parent


# Runs with legacy Keras: tests/search/ciess/agent runs its examples.
AGENTS = "keras_emb.search.ciess.agent."


def _modules():
    return sorted(
        info.name
        for package in ("keras_emb", "keras_emb.zoo", "keras_emb.datasets")
        for info in pkgutil.walk_packages(
            importlib.import_module(package).__path__, f"{package}."
        )
        if not info.name.startswith(AGENTS)
    )


def test_setup_cfg_lists_every_package():
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg")
    listed = set(config["options"]["packages"].split())
    found = set()
    for folder, package in (
        ("keras_emb", "keras_emb"),
        ("zoo", "keras_emb.zoo"),
        ("datasets", "keras_emb.datasets"),
    ):
        for init in (ROOT / folder).rglob("__init__.py"):
            below = init.parent.relative_to(ROOT / folder).parts
            found.add(".".join([package, *below]))
    assert listed == found


@pytest.mark.parametrize("name", _modules())
def test_modules_say_what_is_public_and_their_examples_run(name):
    module = importlib.import_module(name)
    if not hasattr(module, "__path__"):
        assert module.__all__
    failed, _ = doctest.testmod(
        module, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert not failed


def _readme_examples():
    text = (ROOT / "README.md").read_text()
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.mark.parametrize(
    ("number", "artifact", "lines"),
    [
        (0, "ratings", 18),
        (1, "stream", 18),
        (2, "ranking", 22),
        (4, "mine", 19),
    ],
)
def test_readme_examples_work_when_pasted(tmp_path, number, artifact, lines):
    example = _readme_examples()[number]
    assert len([line for line in example.splitlines() if line]) <= lines
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    version = tmp_path / "saved_models" / artifact / "1"
    assert (version / "saved_model.pb").exists()
    # The dense tables of the last example alone would be 160 kB.
    if artifact == "mine":
        values = version / "variables/variables.data-00000-of-00001"
        assert values.stat().st_size < 60_000
