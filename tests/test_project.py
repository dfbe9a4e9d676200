import configparser
import doctest
import importlib
import importlib.util
import pkgutil
import re
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


def test_the_version_is_that_of_the_package():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    assert keras_emb.__version__ == setup["metadata"]["version"]


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


def _code_blocks():
    pages = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
    return [
        pytest.param(block, id=f"{page.name}-{number}")
        for page in pages
        for number, block in enumerate(
            re.findall(r"```python\n(.*?)```", page.read_text(), re.DOTALL)
        )
    ]


@pytest.mark.parametrize("block", _code_blocks())
def test_code_blocks_work_when_pasted(tmp_path, monkeypatch, block):
    assert len([line for line in block.splitlines() if line]) <= 22
    monkeypatch.chdir(tmp_path)
    exec(compile(block, "block", "exec"), {"__name__": "__main__"})
    for artifact in re.findall(r'"saved_models/(\w+)"', block):
        version = tmp_path / "saved_models" / artifact / "1"
        assert (version / "saved_model.pb").exists()
        # The dense tables of the README's last example would be 160 kB.
        if artifact == "mine" and "compact(model, sizes)" in block:
            values = version / "variables/variables.data-00000-of-00001"
            assert values.stat().st_size < 60_000


def test_every_result_is_in_the_readme():
    page = (ROOT / "README.md").read_text()
    results = {
        path.stem for path in (ROOT / "benchmarks" / "results").glob("*.json")
    }
    assert results
    assert [name for name in results if name not in page] == []


def test_the_api_page_is_that_of_the_docstrings():
    spec = importlib.util.spec_from_file_location(
        "make_api", ROOT / "docs" / "make_api.py"
    )
    make_api = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(make_api)
    page = (ROOT / "docs" / "api.md").read_text()
    assert page == make_api.api_page(), "run `python docs/make_api.py`"
    for name in keras_emb.__all__:
        assert f"`{name}`" in page or name in ("datasets", "zoo")
