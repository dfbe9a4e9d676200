"""Pictures of a result on a stream."""

import os
from collections.abc import Mapping, Sequence
from typing import Any, BinaryIO

import numpy as np

from keras_emb.experiments.plots import figure, label_log_axis

__all__ = ["plot_along", "plot_by_popularity", "plot_memory", "plot_weights"]

_COLORS = (
    "#0072B2",
    "#E69F00",
    "#009E73",
    "#D55E00",
    "#CC79A7",
    "#56B4E9",
    "#8C8C8C",
    "#222222",
)
_MAIN = ("autoemb", "darts", "supervised_attention")
_SHADES = ("#d0d0d0", "#bcbcbc", "#a8a8a8", "#949494", "#7c7c7c", "#5c5c5c")


def plot_weights(
    weights: Mapping[str, Mapping[str, Any]],
    dims: Sequence[int],
    path: str | os.PathLike[str],
) -> None:
    """Draws the mean weight of every size against popularity.

    Args:
        weights: By table, as `weights_by_popularity` gives them.
        dims: The sizes.
        path: PNG file to write.
    """
    with figure(path, (4.6 * len(weights), 3.8)) as drawn:
        axes = drawn.subplots(1, len(weights), squeeze=False, sharey=True)[0]
        for ax, (name, of_table) in zip(axes, weights.items(), strict=True):
            for column, dim in enumerate(dims):
                ax.plot(
                    of_table["popularity"],
                    [row[column] for row in of_table["weights"]],
                    color=_COLORS[column % len(_COLORS)],
                    marker="o",
                    markersize=4,
                    label=f"{dim} wide",
                )
            label_log_axis(ax, set(of_table["popularity"]))
            ax.set_title(name)
            ax.set_xlabel("popularity (mean of a tenth of the ids)")
        axes[0].set_ylabel("mean weight")
        axes[-1].legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))


def plot_memory(
    result: Mapping[str, Any],
    task: str,
    path: str | os.PathLike[str] | BinaryIO,
) -> None:
    """Draws the test loss of all methods against their tables' memory.

    Args:
        result: As `build_stream_result` made it.
        task: The task.
        path: PNG file to write.
    """
    with figure(path, (8.4, 4.8)) as drawn:
        ax = drawn.add_subplot()
        kilobytes = []
        for number, (label, cell) in enumerate(_cells(result, task).items()):
            record = cell["per_seed"][0]
            # What is mixed or masked while it learns is served compact.
            tables = record.get("compact_bytes", {}).get("total")
            if tables is None:
                parts = ("values", "index", "projections")
                tables = sum(record["bytes"][part] for part in parts)
            kilobytes.append(tables / 1024)
            style = _style(label, number)
            ax.errorbar(
                kilobytes[-1],
                cell["mean"]["test"]["loss"],
                yerr=cell["std"]["test"]["loss"],
                label=label.replace("_", " "),
                color=style["color"],
                marker="o",
                linestyle="none",
                capsize=2.5,
            )
        label_log_axis(ax, set(kilobytes))
        ax.set_xlabel("memory of the tables, index and maps included (KiB)")
        ax.set_ylabel("prequential test loss")
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))


def plot_by_popularity(
    result: Mapping[str, Any],
    task: str,
    metric: str,
    path: str | os.PathLike[str],
) -> None:
    """Draws a metric of all methods against the popularity of the ids.

    Args:
        result: As `build_stream_result` made it.
        task: The task.
        metric: `"loss"` or `"accuracy"`.
        path: PNG file to write.
    """
    cells = _cells(result, task)
    features = list(next(iter(cells.values()))["per_seed"][0]["by_popularity"])
    with figure(path, (4.8 * len(features) + 1.6, 4.0)) as drawn:
        axes = drawn.subplots(1, len(features), squeeze=False, sharey=True)[0]
        for ax, feature in zip(axes, features, strict=True):
            for number, (label, cell) in enumerate(cells.items()):
                per_seed = [
                    record["by_popularity"][feature]
                    for record in cell["per_seed"]
                ]
                edges = np.maximum(per_seed[0]["edges"][:-1], 0.5)
                values = np.array(
                    [seed["test"][metric] for seed in per_seed], dtype=float
                )
                ax.plot(
                    edges,
                    values.mean(axis=0),
                    label=label.replace("_", " "),
                    **_style(label, number),
                )
            label_log_axis(ax, set(edges.tolist()))
            ax.set_xlabel(f"popularity of the {feature} (from)")
        axes[0].set_ylabel(f"prequential {metric}, {task}")
        axes[-1].legend(
            loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="small"
        )


def plot_along(
    result: Mapping[str, Any], task: str, path: str | os.PathLike[str]
) -> None:
    """Draws the loss of all methods along the stream.

    Args:
        result: As `build_stream_result` made it.
        task: The task.
        path: PNG file to write.
    """
    with figure(path, (7.6, 4.2)) as drawn:
        ax = drawn.add_subplot()
        for number, (label, cell) in enumerate(_cells(result, task).items()):
            along = [record["along"] for record in cell["per_seed"]]
            ax.plot(
                along[0]["interactions"],
                np.mean([seed["mean"] for seed in along], axis=0),
                label=label.replace("_", " "),
                **{**_style(label, number), "marker": ""},
            )
        ax.set_xlabel("interactions seen")
        ax.set_ylabel(f"prequential loss, {task}")
        ax.legend(
            loc="upper left", bbox_to_anchor=(1.01, 1.0), fontsize="small"
        )


def _style(label: str, number: int) -> dict[str, Any]:
    """Fixed widths in greys behind the methods that mix them."""
    if label.startswith(_MAIN):
        return {
            "color": _COLORS[number % len(_COLORS)],
            "marker": "o",
            "markersize": 4,
            "zorder": 3,
        }
    return {
        "color": _SHADES[number % len(_SHADES)],
        "linestyle": ":" if "retrained" in label else "--",
        "linewidth": 1.2,
    }


def _cells(result: Mapping[str, Any], task: str) -> dict[str, Any]:
    return {
        label: of_method[task]
        for label, of_method in result["baselines"].items()
        if task in of_method
    }
