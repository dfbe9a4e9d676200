import pytest

from tests.serving.c_server import build


@pytest.fixture(scope="session")
def c_program(tmp_path_factory):
    """What answers requests without Python."""
    program = build(tmp_path_factory.mktemp("c_loader"))
    if program is None:
        pytest.skip("needs gcc")
    return program
