import doctest
import importlib
import pkgutil

import pytest

import keras_emb.search.ciess.agent as package

MODULES = sorted(
    info.name
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
)


@pytest.mark.parametrize("name", MODULES)
def test_modules_say_what_is_public_and_their_examples_run(name):
    module = importlib.import_module(name)
    assert module.__all__
    failed, _ = doctest.testmod(
        module, optionflags=doctest.NORMALIZE_WHITESPACE
    )
    assert not failed
