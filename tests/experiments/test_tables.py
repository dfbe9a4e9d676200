import io

from rich.console import Console

from keras_emb.experiments.tables import comparison_table, summary_table
from tests.experiments.test_result import make_result


def render(table):
    console = Console(file=io.StringIO(), width=120)
    console.print(table)
    return console.file.getvalue()


def row(text, method):
    (line,) = (line for line in text.splitlines() if f"│ {method} " in line)
    return [cell.strip() for cell in line.split("│")[1:-1]]


def test_summary_has_a_row_a_method_and_a_column_a_share():
    text = render(summary_table(make_result([0, 1])))
    assert row(text, "dense") == ["dense", "0.8050 ± 0.0071", ""]
    assert row(text, "uniform") == ["uniform", "", "0.8050 ± 0.0071"]


def test_summary_says_what_diverged():
    result = make_result([0])
    result["baselines"]["uniform"]["0.1"]["mean"]["test"]["mse"] = None
    text = render(summary_table(result))
    assert row(text, "uniform")[-1] == "diverged"
    assert row(text, "dnis")[-1] == "0.8000"


def test_comparison_shows_quality_and_size():
    result = make_result([0])
    text = render(comparison_table(result))
    assert row(text, "dense") == ["dense", "1", "0.8000", "640", "2,560"]
    assert row(text, "dnis") == ["dnis", "0.1", "0.8000", "64", "256"]
    mean = result["baselines"]["dnis"]["0.1"]["mean"]
    mean["bytes"]["artifact_on_disk"] = 9000
    text = render(comparison_table(result))
    assert row(text, "dnis")[-1] == "9,000"
    assert row(text, "dense")[-1] == "–"
