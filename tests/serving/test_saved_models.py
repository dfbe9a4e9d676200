"""The presets as they are served."""

import re
import subprocess
import sys

import numpy as np
import pytest
from absl import flags
from tensorflow.python.tools import saved_model_cli

import keras_emb
from keras_emb.serving import export_recommender
from keras_emb.zoo.backbones import MatrixFactorization
from keras_emb.zoo.presets import preset_names
from tests.serving.c_server import CServer
from tests.serving.recommenders import VOCABULARIES, dense_recommender

_BRACKETS = str.maketrans("[]", "  ")


def _ask_on_the_command_line(version, signature, inputs, capsys):
    """What `saved_model_cli run` prints, by output."""
    words = ["run", "--dir", str(version), "--tag_set", "serve"]
    words += ["--signature_def", signature, "--input_exprs"]
    words.append(";".join(f"{k}={v}" for k, v in inputs.items()))
    capsys.readouterr()
    flags.FLAGS(words)
    saved_model_cli.run()
    printed = capsys.readouterr().out
    parts = re.split(r"Result for output key (\w+):\n", printed)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def _numbers(printed):
    return [float(word) for word in printed.translate(_BRACKETS).split()]


def _raw(vocabulary, rows):
    """Raw ids of rows; an unknown one for row 0."""
    text = vocabulary.raw_ids.dtype.kind == "U"
    ids = np.concatenate([["?"] if text else [-7], vocabulary.raw_ids])[rows]
    return ids.astype(object) if text else ids


@pytest.mark.parametrize("preset", preset_names())
def test_a_preset_is_served_as_it_is_loaded(
    preset, c_program, tmp_path, capsys
):
    model = keras_emb.EmbeddingSizeModel.from_preset(preset)
    version = model.export(tmp_path / "here").rename(tmp_path / "elsewhere")

    chosen = {
        name: np.array([1, len(ids) // 2, len(ids) - 1, 0])
        for name, ids in model.vocabularies.items()
    }
    rows = {
        name: np.broadcast_to(
            some.reshape(4, *[1 for _ in model.model.input[name].shape[1:]]),
            (4, *model.model.input[name].shape[1:]),
        )
        for name, some in chosen.items()
    }
    expected = np.asarray(model.predict(rows, by="row"))
    ids = {name: _raw(model.vocabularies[name], rows[name]) for name in rows}
    with CServer(c_program, version) as server:
        answer = server.predict("serving_default", ids)
        known = answer.pop("is_known")
        assert known.tolist() == [True, True, True, False]
        (scores,) = answer.values()
        np.testing.assert_allclose(
            scores.reshape(expected.shape), expected, 1e-4, 1e-5
        )
        if set(rows) != {"user", "item"}:
            listed = {name: some.tolist() for name, some in ids.items()}
            printed = _ask_on_the_command_line(
                version, "serving_default", listed, capsys
            )
            del printed["is_known"]
            (scores,) = map(_numbers, printed.values())
            np.testing.assert_allclose(scores, expected.ravel(), 1e-4, 1e-5)
            return
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
    asked = {"user": ids["user"][:1].tolist(), "seen": [[0]], "k": 5}
    printed = _ask_on_the_command_line(version, "recommend", asked, capsys)
    items, values = model.recommend(ids["user"][:1], k=5)
    assert _numbers(printed["item"]) == items[0].tolist()
    np.testing.assert_allclose(
        _numbers(printed["score"]), values[0], 1e-4, 1e-5
    )


def test_saved_model_cli_asks_for_a_list(tmp_path):
    model = dense_recommender(MatrixFactorization)
    folder = export_recommender(model, VOCABULARIES, tmp_path)
    item = VOCABULARIES["item"].raw(3)
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "tensorflow.python.tools.saved_model_cli",
            "run",
            "--dir",
            str(folder),
            "--tag_set",
            "serve",
            "--signature_def",
            "recommend",
            "--input_exprs",
            f"user=['us\u00e9r 3'];seen=[[{item}]];k=24",
        ],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    for name in ("item", "score", "is_known"):
        assert f"Result for output key {name}:" in done.stdout
    listed = done.stdout.split("key item:")[1].split("Result")[0]
    assert str(VOCABULARIES["item"].raw(4)) in listed
    assert str(item) not in listed
    assert "[ True]" in done.stdout
