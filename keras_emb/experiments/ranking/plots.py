"""Pictures of a search by reinforcement learning."""

import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from keras_emb.experiments.plots import figure

__all__ = ["plot_search"]


def plot_search(
    traces: Mapping[str, Sequence[Mapping[str, Any]]],
    path: str | os.PathLike[str],
) -> None:
    """Draws the mean reward and the mean size of every episode.

    Figure 3 of CIESS (arXiv 2304.03501).

    Args:
        traces: Entries of `CIESS.trace`, by method.
        path: PNG file to write.
    """
    with figure(path, (9.2, 3.8)) as drawn:
        axes = drawn.subplots(1, 2)
        for method, trace in traces.items():
            episodes = np.array([entry["episode"] for entry in trace])
            for ax, key in zip(axes, ("reward", "mean_size"), strict=True):
                values = np.array([entry[key] for entry in trace])
                numbers = np.unique(episodes)
                means = [values[episodes == n].mean() for n in numbers]
                ax.plot(numbers + 1, means, label=method.replace("_", " "))
        for ax, label in zip(axes, ("mean reward", "mean size"), strict=True):
            ax.set_xlabel("episode")
            ax.set_ylabel(label)
        axes[1].legend(loc="upper left", bbox_to_anchor=(1.01, 1.0))
