"""Pictures of a result."""

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import (
    FixedLocator,
    FuncFormatter,
    MaxNLocator,
    NullFormatter,
    NullLocator,
)

from keras_emb.experiments.result import main_metric, metric_label
from keras_emb.experiments.size_summary import popularity_deciles

__all__ = [
    "figure",
    "label_log_axis",
    "plot_alpha",
    "plot_pruning",
    "plot_quality",
    "plot_sizes",
]

# Okabe and Ito's colours, told apart with any kind of colour vision; with
# the markers they give each method a look of its own in every picture.
_BLUE, _ORANGE, _GREEN, _RED = "#0072B2", "#E69F00", "#009E73", "#D55E00"
_PINK, _SKY, _GREY, _BLACK = "#CC79A7", "#56B4E9", "#8C8C8C", "#222222"
_STYLES: Mapping[str, tuple[str, str, str]] = {
    "uniform": (_GREY, "o", "-"),
    "truncated_uniform": (_GREY, "s", "--"),
    "power_rule": (_PINK, "v", "-"),
    "random": (_PINK, "P", "--"),
    "magnitude": (_ORANGE, "D", "-"),
    "magnitude_aligned": (_ORANGE, "d", "--"),
    "autodim": (_RED, "*", "-"),
    "mixed_random": (_PINK, "P", "--"),
    "budgeted_random": (_PINK, "p", "-."),
    "pep": (_ORANGE, "D", "-"),
    "ciess": (_SKY, "^", "-"),
    "ciess_aligned": (_BLUE, "o", "-"),
    "dnis": (_SKY, "^", "-"),
    "dnis_aligned_mask": (_GREEN, "X", "--"),
    "dnis_aligned_prefix": (_BLUE, "o", "-"),
}
_OTHER_COLORS = (_BLUE, _ORANGE, _GREEN, _PINK, _SKY, _RED, _GREY)


def plot_sizes(
    sizes: Mapping[str, npt.ArrayLike],
    popularity: Mapping[str, npt.ArrayLike],
    path: str | os.PathLike[str],
) -> None:
    """Draws each row's size against its popularity, and decile means.

    Args:
        sizes: Live entries of each row, by table.
        popularity: Occurrences of each row in training, by table.
        path: PNG file to write.
    """
    with figure(path, (4.6 * len(sizes), 3.8)) as drawn:
        axes = drawn.subplots(1, len(sizes), squeeze=False, sharey=True)[0]
        for ax, (name, of_table) in zip(axes, sizes.items(), strict=True):
            _draw_sizes(ax, np.asarray(of_table), np.asarray(popularity[name]))
            ax.set_title(name)
            ax.set_xlabel("popularity (training examples of the row)")
        axes[0].set_ylabel("size (live entries of the row)")
        # Room for the legend, on the axis that all tables share.
        largest = max(int(np.max(of_table)) for of_table in sizes.values())
        axes[0].set_ylim(-0.7, largest * 1.18 + 0.7)
        axes[0].yaxis.set_major_locator(MaxNLocator(integer=True))
        axes[-1].legend(loc="upper left")


def plot_quality(
    result: Mapping[str, Any],
    path: str | os.PathLike[str],
    *,
    metric: str | None = None,
) -> None:
    """Draws every method's test quality against its tables' memory.

    Args:
        result: What `result.json` holds; error bars where it has seeds.
        path: PNG file to write.
        metric: Metric to show; the result's main one by default.
    """
    metric = metric or main_metric(result)[0]
    with figure(path, (8.4, 4.8)) as drawn:
        ax = drawn.add_subplot()
        ticks: set[float] = set()
        for number, (method, of_method) in enumerate(
            result["baselines"].items()
        ):
            if method == "dense":
                _draw_dense(ax, next(iter(of_method.values())), metric)
                continue
            points = sorted(
                (
                    _table_bytes(cell) / 1024,
                    cell["mean"]["test"][metric],
                    cell["std"]["test"][metric] or 0.0,
                )
                for cell in of_method.values()
                if cell["mean"]["test"][metric] is not None
            )
            if not points:
                continue
            kilobytes, means, deviations = zip(*points, strict=True)
            ticks.update(kilobytes)
            color, marker, line = _style(method, number)
            ax.errorbar(
                kilobytes,
                means,
                yerr=deviations if any(deviations) else None,
                label=_label(method),
                color=color,
                marker=marker,
                linestyle=line,
                markersize=6,
                markeredgecolor="white",
                markeredgewidth=0.6,
                capsize=2.5,
            )
        if ticks:
            label_log_axis(ax, ticks)
        ax.set_xlabel("memory of the tables, index included (KiB)")
        ax.set_ylabel(f"test {metric_label(metric)}")
        ax.set_title(
            f"{_label(result['backbone'])} on {_label(result['dataset'])}"
        )
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))


def plot_alpha(
    alpha: Mapping[str, npt.ArrayLike], path: str | os.PathLike[str]
) -> None:
    """Draws the selection of each table as a heat map.

    Args:
        alpha: Selection of each table, `(num_blocks, embedding_dim)`, in
            [0, 1]; block 0 holds the most popular rows.
        path: PNG file to write.
    """
    arrays = {name: np.asarray(of_table) for name, of_table in alpha.items()}
    with figure(path, (4.8 * len(arrays) + 0.8, 3.4)) as drawn:
        axes = drawn.subplots(1, len(arrays), squeeze=False)[0]
        for ax, (name, values) in zip(axes, arrays.items(), strict=True):
            # Strongest dimensions first: their order has no meaning.
            order = np.argsort(-values.sum(axis=0), kind="stable")
            image = ax.imshow(
                values[:, order],
                aspect="auto",
                cmap="cividis",
                vmin=0.0,
                vmax=1.0,
                interpolation="nearest",
            )
            ax.grid(False)
            ax.set_title(name)
            ax.set_xlabel("dimension (strongest first)")
            ax.set_ylabel("block (0: most popular rows)")
            ax.set_yticks(_whole_ticks(len(values)))
        drawn.colorbar(image, ax=list(axes), label="selection α", pad=0.02)


def plot_pruning(
    curves: Mapping[str, tuple[Sequence[float], Sequence[float]]],
    path: str | os.PathLike[str],
    *,
    dense: float | None = None,
    metric: str = "mse",
) -> None:
    """Draws the validation error while entries are pruned.

    Args:
        curves: Kept shares and errors, by what is drawn.
        path: PNG file to write.
        dense: Error of the dense model, if it is to be shown.
        metric: Name of the error.
    """
    with figure(path, (7.6, 4.2)) as drawn:
        ax = drawn.add_subplot()
        if dense is not None:
            ax.axhline(dense, color=_BLACK, linestyle=":", label="dense")
        ticks: set[float] = set()
        for index, (name, (shares, errors)) in enumerate(curves.items()):
            percent = 100 * np.asarray(shares, dtype=float)
            order = np.argsort(percent)
            ticks.update(percent.tolist())
            color, marker, line = _style(name, index)
            ax.plot(
                percent[order],
                np.asarray(errors, dtype=float)[order],
                label=_label(name),
                color=color,
                marker=marker,
                linestyle=line,
            )
        label_log_axis(ax, ticks)
        ax.invert_xaxis()
        ax.set_xlabel("parameters kept (%)")
        ax.set_ylabel(f"validation {metric_label(metric)}")
        ax.legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))


@contextmanager
def figure(
    path: str | os.PathLike[str] | BinaryIO, size: tuple[float, float]
) -> Iterator[Figure]:
    """A figure in the house's style, written when the block ends.

    Args:
        path: PNG file to write, or an open one.
        size: Width and height in inches.
    """
    # A figure of its own needs no display and no state of pyplot.
    drawn = Figure(figsize=size, dpi=150, layout="constrained")
    yield drawn
    for ax in drawn.axes:
        if ax.get_label() == "<colorbar>":
            continue
        ax.spines[["top", "right"]].set_visible(False)
        ax.set_axisbelow(True)
        if not ax.images:
            ax.grid(True, color="#E5E5E5", linewidth=0.8)
        legend = ax.get_legend()
        if legend is not None:
            legend.set_frame_on(False)
    drawn.savefig(path, format="png")


def _style(name: str, number: int) -> tuple[str, str, str]:
    """What a curve looks like; others than methods by their place."""
    place = number % len(_OTHER_COLORS)
    return _STYLES.get(name, (_OTHER_COLORS[place], "os^DvXP"[place], "-"))


def _draw_sizes(
    ax: Axes, sizes: npt.NDArray[Any], popularity: npt.NDArray[Any]
) -> None:
    # Rows without an example stand left of all others on the log axis.
    low = float(popularity[popularity > 0].min(initial=popularity.max()))
    never = low / 2 if low else 0.5
    shown = np.maximum(popularity, never)
    jitter = np.random.default_rng(0).uniform(-0.3, 0.3, len(sizes))
    ax.scatter(
        shown,
        sizes + jitter,
        s=5,
        color=_SKY,
        alpha=float(np.clip(600 / len(sizes), 0.15, 0.7)),
        linewidths=0,
        rasterized=True,
    )
    deciles = popularity_deciles(popularity)
    centers, means = [], []
    for decile in np.unique(deciles):
        rows = deciles == decile
        centers.append(math.exp(np.log(shown[rows]).mean()))
        means.append(sizes[rows].mean())
    ax.plot(
        centers,
        means,
        color=_RED,
        marker="o",
        markersize=5,
        markeredgecolor="white",
        label="mean of a tenth of the rows",
    )
    label_log_axis(ax, set(shown.tolist()))
    if popularity.min() == 0:
        ticks = [tick for tick in ax.get_xticks() if tick >= low > 0]
        labels = [f"{tick:,.6g}" for tick in ticks]
        ax.set_xticks([never, *ticks], ["0", *labels])


def _draw_dense(ax: Axes, cell: Mapping[str, Any], metric: str) -> None:
    mean = cell["mean"]["test"][metric]
    if mean is None:
        return
    deviation = cell["std"]["test"][metric] or 0.0
    kilobytes = _table_bytes(cell) / 1024
    ax.axhline(
        mean,
        color=_BLACK,
        linestyle=":",
        label=f"dense ({kilobytes:,.0f} KiB)",
    )
    ax.axhspan(
        mean - deviation, mean + deviation, color=_BLACK, alpha=0.08, lw=0
    )


def _table_bytes(cell: Mapping[str, Any]) -> float:
    num_bytes = cell["mean"]["bytes"]
    return float(num_bytes["values"] + num_bytes["index"])


def label_log_axis(ax: Axes, values: set[float]) -> None:
    """Puts plain numbers where values stand, rather than powers of ten.

    Args:
        ax: Its horizontal axis becomes logarithmic.
        values: What is drawn along it, above zero.
    """
    low, high = min(values) / 1.25, max(values) * 1.25
    shown: list[float] = []
    for mantissas in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 8)):
        if len(shown) < 4:
            shown = [
                mantissa * 10.0**power
                for power in range(-6, 12)
                for mantissa in mantissas
                if low <= mantissa * 10.0**power <= high
            ]
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(FixedLocator(shown))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda x, _: f"{x:,.6g}"))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.xaxis.set_minor_formatter(NullFormatter())


def _label(name: str) -> str:
    return name.replace("_", " ")


def _whole_ticks(count: int) -> list[int]:
    return list(range(0, count, max(1, math.ceil(count / 10))))
