import json
import re
from pathlib import Path

import pytest

from keras_emb.experiments.report import write_report

RESULTS = Path(__file__).parents[2] / "benchmarks" / "results"
RESULT = RESULTS / "dnis_matrix_factorization_movielens_1m.json"


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "run"
    (folder / "plots").mkdir(parents=True)
    (folder / "result.json").write_text(RESULT.read_text())
    picture = RESULT.with_suffix(".png")
    (folder / "plots" / "quality.png").write_bytes(picture.read_bytes())
    return folder


def test_a_report_holds_every_figure_and_loads_nothing(run, tmp_path):
    page = write_report([run, run], tmp_path / "out" / "report.html")
    text = page.read_text()
    result = json.loads(RESULT.read_text())
    assert text.count("<section>") == 2
    for method, of_method in result["baselines"].items():
        assert method.replace("_", " ") in text
        for cell in of_method.values():
            assert f"{cell['mean']['test']['mse']:.4f}" in text
    assert f"{result['bytes']['artifact_on_disk']:,}" in text
    assert all(
        source.startswith("data:image/png;base64,")
        for source in re.findall(r'src="([^"]*)"', text)
    )
    assert not re.search(r"https?://", text)


def test_a_column_may_have_diverged_altogether(run, tmp_path):
    result = json.loads(RESULT.read_text())
    for of_method in result["baselines"].values():
        for cell in of_method.values():
            cell["mean"]["test"]["mse"] = None
    (run / "result.json").write_text(json.dumps(result))
    text = write_report([run], tmp_path / "report.html").read_text()
    assert "diverged" in text and 'class="best"' not in text


def test_the_best_of_a_column_stands_out(run, tmp_path):
    text = write_report([run], tmp_path / "report.html").read_text()
    baselines = json.loads(RESULT.read_text())["baselines"]
    for share in ("0.5", "0.05"):
        least = min(
            of[share]["mean"]["test"]["mse"]
            for of in baselines.values()
            if share in of
        )
        assert f'class="best">{least:.4f}' in text


def test_an_incomplete_run_is_refused(tmp_path):
    (tmp_path / "run").mkdir()
    with pytest.raises(ValueError, match="complete runs. Received: .*run"):
        write_report([tmp_path / "run"], tmp_path / "report.html")
    assert not (tmp_path / "report.html").exists()
