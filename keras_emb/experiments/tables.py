"""Results as tables on the terminal."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from keras_emb.experiments.result import main_metric, metric_label

__all__ = ["comparison_table", "result_table", "summary_table"]


def summary_table(
    result: Mapping[str, Any],
    *,
    metric: str | None = None,
    part: str = "test",
) -> Table:
    """Lays out every method at every share.

    Args:
        result: What `result.json` holds.
        metric: Metric to show, the result's main one by default; the best of
            a column stands out.
        part: `"test"` or `"validation"`.

    Returns:
        A table of methods by kept shares: mean and standard deviation over
        seeds.
    """
    main, more_is_better = main_metric(result)
    metric = metric or main
    choose = max if more_is_better else min
    baselines = result["baselines"]
    shares = sorted(
        {cell["share"] for of in baselines.values() for cell in of.values()},
        reverse=True,
    )
    table = Table(
        title=f"{result['experiment']}: {part} {metric_label(metric)} "
        "by share of parameters kept"
    )
    table.add_column("method")
    for share in shares:
        table.add_column(f"{share:.4g}", justify="right")
    means = {
        (method, cell["share"]): cell["mean"][part][metric]
        for method, of_method in baselines.items()
        for cell in of_method.values()
    }
    best = {
        share: choose(
            value
            for (_, at), value in means.items()
            if at == share and _is_number(value)
        )
        for share in shares
        if any(at == share and _is_number(v) for (_, at), v in means.items())
    }
    for method, of_method in baselines.items():
        cells = {cell["share"]: cell for cell in of_method.values()}
        table.add_row(
            method,
            *(
                _cell(cells.get(share), part, metric, best.get(share))
                for share in shares
            ),
        )
    return table


def comparison_table(result: Mapping[str, Any]) -> Table:
    """Lays out quality beside size, the largest tables first.

    Args:
        result: As `build_result` made it.

    Returns:
        A table of methods and shares by test error, parameters, bytes of the
        tables and, where a record has them, bytes on disk.
    """
    rows = sorted(
        (
            (method, cell)
            for method, of_method in result["baselines"].items()
            for cell in of_method.values()
        ),
        key=lambda row: -_table_bytes(row[1]),
    )
    on_disk = any(
        "artifact_on_disk" in cell["mean"]["bytes"] for _, cell in rows
    )
    table = Table(title=f"{result['experiment']}: quality and size")
    metric = main_metric(result)[0]
    quality = f"test {metric_label(metric)}"
    for column in ("method", "kept", quality, "parameters", "table bytes"):
        table.add_column(
            column, justify="left" if column == "method" else "right"
        )
    if on_disk:
        table.add_column("bytes on disk", justify="right")
    for method, cell in rows:
        mean = cell["mean"]
        values = [
            method,
            f"{cell['share']:.4g}",
            _with_spread(mean["test"][metric], cell["std"]["test"][metric]),
            f"{mean['parameters']:,.0f}",
            f"{_table_bytes(cell):,.0f}",
        ]
        if on_disk:
            artifact = mean["bytes"].get("artifact_on_disk")
            values.append("–" if artifact is None else f"{artifact:,.0f}")
        table.add_row(*values)
    return table


def result_table(result: Mapping[str, Any]) -> Table:
    """The table that suits a result's kind.

    Args:
        result: What `result.json` holds.
    """
    if result["split"].get("prequential"):
        return _stream_table(result)
    return summary_table(result)


def _stream_table(result: Mapping[str, Any]) -> Table:
    """Methods by tasks: prequential loss and accuracy of the test part."""
    table = Table(title=f"{result['experiment']}: prequential, test part")
    table.add_column("method")
    baselines = result["baselines"]
    tasks = list(next(iter(baselines.values())))
    columns = [
        (task, metric)
        for task in tasks
        for metric in next(iter(baselines.values()))[task]["mean"]["test"]
    ]
    for task, metric in columns:
        table.add_column(f"{task} {metric}", justify="right")
    for label, of_method in baselines.items():
        table.add_row(
            label,
            *(
                _cell(of_method.get(task), "test", metric, None)
                for task, metric in columns
            ),
        )
    return table


def _table_bytes(cell: Mapping[str, Any]) -> float:
    num_bytes = cell["mean"]["bytes"]
    return float(num_bytes["values"] + num_bytes["index"])


def _cell(
    cell: Mapping[str, Any] | None,
    part: str,
    metric: str,
    best: float | None,
) -> str:
    if cell is None:
        return ""
    mean = cell["mean"][part][metric]
    text = _with_spread(mean, cell["std"][part][metric])
    return f"[bold]{text}[/bold]" if mean == best else text


def _with_spread(mean: float | None, std: float | None) -> str:
    if not _is_number(mean):
        return "diverged"
    return f"{mean:.4f}" if std is None else f"{mean:.4f} ± {std:.4f}"


def _is_number(value: float | None) -> bool:
    # Unequal to itself: not a number.
    return value is not None and value == value
