"""The presets as they are served."""

from pathlib import Path

import numpy as np
import pytest
from tensorflow.python.tools import saved_model_cli

import keras_emb
from keras_emb.zoo.presets import preset_names
from tests.serving.c_server import CServer

FOLDER = Path(keras_emb.__file__).parent.parent / "saved_models"


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_is_served_as_it_is_loaded(preset, c_program):
    (version,) = (FOLDER / preset).iterdir()
    assert version.name == "1"
    model = keras_emb.EmbeddingSizeModel.from_preset(preset)
    rows = {
        name: np.array([1, len(ids) // 2, len(ids) - 1, 0])
        for name, ids in model.vocabularies.items()
    }
    expected = np.asarray(model.predict(rows, by="row"))
    ids = {
        name: np.append(model.vocabularies[name].raw(chosen[:3]), -7)
        for name, chosen in rows.items()
    }
    with CServer(c_program, version) as server:
        answer = server.predict("serving_default", ids)
        known = answer.pop("is_known")
        assert known.tolist() == [True, True, True, False]
        (scores,) = answer.values()
        np.testing.assert_allclose(
            scores.reshape(expected.shape), expected, 1e-4, 1e-5
        )
        inputs = {
            "user": ids["user"][:2],
            "seen": ids["item"][:2, None],
            "k": np.int32(5),
        }
        best = server.predict("recommend", inputs)
    items, values = model.recommend(
        ids["user"][:2], k=5, seen=[[item] for item in ids["item"][:2]]
    )
    np.testing.assert_allclose(best["score"], values, 1e-4, 1e-5)
    np.testing.assert_array_equal(best["item"], items)


def test_saved_model_cli_asks_for_a_list(capsys):
    preset = preset_names()[-1]
    parser = saved_model_cli.create_parser()
    arguments = parser.parse_args(
        [
            "run",
            "--dir",
            str(FOLDER / preset / "1"),
            "--tag_set",
            "serve",
            "--signature_def",
            "recommend",
            "--input_exprs",
            "user=np.array([405]);seen=np.array([[258]]);k=np.int32(5)",
        ]
    )
    saved_model_cli.run(arguments)
    printed = capsys.readouterr().out
    assert "Result for output key item" in printed
    assert "Result for output key score" in printed
