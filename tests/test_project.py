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


def _modules():
    return sorted(
        info.name
        for package in ("keras_emb", "keras_emb.zoo", "keras_emb.datasets")
        for info in pkgutil.walk_packages(
            importlib.import_module(package).__path__, f"{package}."
        )
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


def test_the_readme_example_works_when_pasted(tmp_path):
    text = (ROOT / "README.md").read_text()
    example = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    done = subprocess.run(
        [sys.executable, "-c", example],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert list(tmp_path.glob("saved_models/ratings/1/saved_model.pb"))
