"""With TensorFlow Serving itself, where there is one."""

import contextlib
import os
import shutil
import socket
import subprocess
import time

import numpy as np
import pytest

from keras_emb.serving import Client, ServingError, export_recommender
from keras_emb.zoo.backbones import MatrixFactorization
from tests.serving.recommenders import (
    VOCABULARIES,
    all_scores,
    compact_recommender,
    dense_recommender,
)

BINARY = os.environ.get("TF_SERVING_BINARY") or shutil.which(
    "tensorflow_model_server"
)
pytestmark = pytest.mark.skipif(
    BINARY is None,
    reason="needs tensorflow_model_server on PATH or in TF_SERVING_BINARY",
)

_CONFIG = """model_config_list {{
  config {{
    name: "movies"
    base_path: "{path}"
    model_platform: "tensorflow"
    model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
    version_labels {{ key: "stable" value: 1 }}
    version_labels {{ key: "canary" value: 2 }}
  }}
}}
"""


def _free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@pytest.fixture(scope="module")
def models():
    return {
        "stable": dense_recommender(MatrixFactorization),
        "canary": compact_recommender(MatrixFactorization),
    }


@pytest.fixture(scope="module")
def addresses(models, tmp_path_factory):
    path = tmp_path_factory.mktemp("served")
    for version, model in enumerate(models.values(), 1):
        export_recommender(
            model, VOCABULARIES, path / "movies", version=version, warm_up=True
        )
    config = path / "models.config"
    config.write_text(_CONFIG.format(path=path / "movies"))
    grpc, rest = _free_port(), _free_port()
    server = subprocess.Popen(
        [
            BINARY,
            f"--port={grpc}",
            f"--rest_api_port={rest}",
            f"--model_config_file={config}",
            "--allow_version_labels_for_unavailable_models=true",
        ]
    )
    found = {"grpc": f"127.0.0.1:{grpc}", "rest": f"127.0.0.1:{rest}"}
    try:
        _wait(server, found["rest"])
        yield found
    finally:
        server.terminate()
        server.wait(timeout=60)


def _wait(server, address):
    """Until both versions answer."""
    for version in (1, 2):
        for _ in range(120):
            assert server.poll() is None, "the server has ended"
            client = Client(address, "movies", protocol="rest", version=version)
            with contextlib.suppress(ServingError), client:
                client.predict(["?"], [0])
                break
            time.sleep(0.5)
        else:
            raise AssertionError(f"version {version} never answered")


@pytest.mark.parametrize("label", ["stable", "canary"])
@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_the_server_answers_as_the_model_does(
    protocol, label, addresses, models
):
    scores = all_scores(models[label])
    raw = VOCABULARIES["item"].raw
    with Client(
        addresses[protocol], "movies", protocol=protocol, version_label=label
    ) as client:
        answer = client.predict(["usér 3", "?"], raw([4, 5]))
        np.testing.assert_allclose(
            answer["rating"][:, 0], [scores[3, 4], scores[0, 5]], 1e-5, 1e-6
        )
        assert answer["is_known"].tolist() == [True, False]
        seen = raw(1 + np.argsort(-scores[7, 1:])[:2])
        answer = client.recommend(["usér 7"], k=3, seen=[seen])
        expected = 1 + np.argsort(-scores[7, 1:])[2:5]
        np.testing.assert_array_equal(answer["item"], [raw(expected)])
        assert client.embed(user=["usér 1"])["item"].shape[0] == 0
        none = client.recommend(["usér 7"], k=1, seen=[raw(np.arange(1, 25))])
        assert none["item"].tolist() == [[-1]]
        assert np.isneginf(none["score"]).all()
        with pytest.raises(ServingError) as error:
            client.recommend(["usér 7"], k=1000)
        assert error.value.code == "INVALID_ARGUMENT"
        with pytest.raises(ServingError):
            client.predict(["usér 7"], [1, 2])
