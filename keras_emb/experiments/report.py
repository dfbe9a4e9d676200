"""Runs on one page."""

import base64
import html
import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from keras_emb.experiments.json_file import read_json
from keras_emb.experiments.result import main_metric, validate_result
from keras_emb.experiments.streams.plots import plot_memory

__all__ = ["write_report"]

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;margin:0 auto;max-width:60rem;
padding:0 1rem 3rem;color:#222;background:#fff}
h1,h2,p,figcaption{overflow-wrap:anywhere}
h1{font-size:1.5rem}h2{font-size:1.2rem;margin-top:2.5rem}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-variant-numeric:tabular-nums}
td,th{padding:.25rem .75rem;text-align:right;border-bottom:1px solid #ddd;
white-space:nowrap}
td:first-child,th:first-child{text-align:left}
img{max-width:100%;height:auto;margin:.5rem 0}
.best{font-weight:700}
.bar{min-width:8rem}.bar i{display:block;height:.8rem;background:#0072B2}
figure{margin:1rem 0}figcaption{color:#666}
"""


def write_report(
    runs: Sequence[str | os.PathLike[str]], path: str | os.PathLike[str]
) -> Path:
    """Writes one self-contained HTML page about complete runs.

    Tables of every method, where the bytes of the exported model are, its
    sizes by popularity, and the run's pictures; nothing is loaded from
    elsewhere.

    Args:
        runs: Folders of complete runs.
        path: File to write.

    Returns:
        The file.

    Raises:
        ValueError: If a folder is not a complete run.
    """
    sections = [_section(Path(run)) for run in runs]
    page = (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width,initial-scale=1">'
        f"<title>keras_emb</title><style>{_STYLE}</style></head><body>"
        "<h1>Embedding sizes: what they cost, what they gain</h1>"
        f"{''.join(sections)}</body></html>\n"
    )
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.tmp")
    partial.write_text(page, encoding="utf-8")
    partial.replace(target)
    return target


def _section(run: Path) -> str:
    if not (run / "result.json").is_file():
        raise ValueError(
            "`runs` must be folders of complete runs. Received: "
            f"{run}, without result.json"
        )
    result = read_json(run / "result.json")
    validate_result(result)
    parts = [
        f"<h2>{html.escape(result['experiment'])}</h2>",
        f"<p>{html.escape(_summary(result))}</p>",
        _methods(result),
        "<h3>Where the bytes of the exported model are</h3>",
        _bar_table(
            ["part", "bytes"],
            [
                (name.replace("_", " "), float(value), f"{value:,}")
                for name, value in result["bytes"].items()
            ],
        ),
        "<h3>Mean size by popularity, the most popular tenth first</h3>",
        _bar_table(
            ["tenth", "size"],
            [
                (
                    str(number),
                    size or 0.0,
                    "–" if size is None else f"{size:.1f}",
                )
                for number, size in enumerate(
                    result["sizes"]["by_popularity_decile"], 1
                )
            ],
        ),
        *_memory_pictures(result),
    ]
    for path in sorted((run / "plots").glob("*.png")):
        parts.append(_picture(path.stem.replace("_", " "), path.read_bytes()))
    return f"<section>{''.join(parts)}</section>"


def _summary(result: Mapping[str, Any]) -> str:
    figures = ", ".join(
        f"{name} {value:.4f}"
        for name, value in result["metrics"]["test"].items()
    )
    return (
        f"{result['backbone']} on {result['dataset']}; exported: "
        f"{result['method']} at {result['budget']['share']:.4g} of the "
        f"parameters, {result['bytes']['artifact_on_disk']:,} bytes on disk; "
        f"test {figures}."
    )


def _methods(result: Mapping[str, Any]) -> str:
    baselines = result["baselines"]
    columns = list(
        dict.fromkeys(key for of in baselines.values() for key in of)
    )
    first = next(iter(next(iter(baselines.values())).values()))
    metric = (
        next(iter(first["mean"]["test"]))
        if result["split"].get("prequential")
        else main_metric(result)[0]
    )
    choose = max if main_metric(result)[1] else min
    best = {
        column: choose(
            (
                of[column]["mean"]["test"][metric]
                for of in baselines.values()
                if column in of
                and isinstance(of[column]["mean"]["test"][metric], float)
            ),
            # Where all have diverged.
            default=None,
        )
        for column in columns
    }
    rows = []
    for name, of_method in baselines.items():
        cells = [html.escape(name.replace("_", " "))]
        for column in columns:
            if column not in of_method:
                cells.append("")
                continue
            mean = of_method[column]["mean"]["test"][metric]
            std = of_method[column]["std"]["test"][metric]
            text = "diverged" if mean is None else f"{mean:.4f}"
            text += "" if std is None else f" ± {std:.4f}"
            cells.append(
                f'<span class="best">{text}</span>'
                if mean is not None and mean == best[column]
                else text
            )
        rows.append(cells)
    heads = [f"test {metric}", *columns]
    return _table(heads, rows, escaped=True)


def _memory_pictures(result: Mapping[str, Any]) -> Iterator[str]:
    """Accuracy against memory, where the run has left no picture of it."""
    if not result["split"].get("prequential"):
        return
    tasks = {task for of in result["baselines"].values() for task in of}
    for task in sorted(tasks):
        drawn = io.BytesIO()
        plot_memory(result, task, drawn)
        yield _picture(f"loss and memory {task}", drawn.getvalue())


def _picture(name: str, png: bytes) -> str:
    data, name = base64.b64encode(png).decode(), html.escape(name)
    return (
        f'<figure><img alt="{name}" src="data:image/png;base64,{data}">'
        f"<figcaption>{name}</figcaption></figure>"
    )


def _bar_table(
    heads: Sequence[str], rows: Sequence[tuple[str, float, str]]
) -> str:
    """Names and numbers, each with a bar as long as its share of the most."""
    most = max((value for _, value, _ in rows), default=0.0) or 1.0
    cells = [
        [
            html.escape(name),
            text,
            f'<i style="width:{100 * value / most:.1f}%"></i>',
        ]
        for name, value, text in rows
    ]
    return _table([*heads, ""], cells, escaped=True, bars=True)


def _table(
    heads: Sequence[str],
    rows: Iterable[Sequence[str]],
    escaped: bool = False,
    bars: bool = False,
) -> str:
    def cells(values: Sequence[str], tag: str, raw: bool) -> str:
        return "".join(
            f"<{tag}>{value if raw else html.escape(value)}</{tag}>"
            for value in values
        )

    body = "".join(f"<tr>{cells(row, 'td', escaped)}</tr>" for row in rows)
    if bars:
        body = body.replace("<td><i ", '<td class="bar"><i ')
    return (
        f'<div class="scroll"><table><tr>{cells(heads, "th", False)}</tr>'
        f"{body}</table></div>"
    )
