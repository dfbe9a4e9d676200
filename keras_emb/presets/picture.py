"""The picture on the card of a preset."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from keras_emb.compression import SizeAssignment

__all__ = ["PARTS", "dense_bytes", "draw_picture"]

# Parts of a model's bytes, with their colours.
PARTS: Mapping[str, str] = {
    "values": "#0072B2",
    "index": "#E69F00",
    "projections": "#CC79A7",
    "graph": "#009E73",
    "dense_layers": "#8C8C8C",
}


def dense_bytes(metadata: Mapping[str, Any]) -> int:
    """Bytes of the weights of the model with full tables.

    >>> dense_bytes({"bytes": {"dense": 8}})
    8

    Args:
        metadata: Of a preset.
    """
    twin = metadata.get("dense_twin") or {}
    return int(twin.get("bytes", metadata["bytes"]["dense"]))


def draw_picture(
    metadata: Mapping[str, Any], sizes: SizeAssignment | None, path: Path
) -> None:
    """Draws sizes beside bytes.

    Left the mean size of each tenth of the rows by popularity, where the
    metadata know it, or how many rows have which size; right where the bytes
    are, against the full tables.

    Args:
        metadata: Of a preset, with `bytes`.
        sizes: What is kept of each row.
        path: PNG file to write.
    """
    # Matplotlib takes longer to import than a preset to load.
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9.0, 2.9), dpi=110, layout="constrained")
    left, right = figure.subplots(1, 2)
    deciles = metadata.get("sizes", {}).get("by_popularity_decile")
    if deciles is not None:
        heights = [np.nan if size is None else size for size in deciles]
        left.bar(range(1, 11), heights, color=PARTS["values"])
        left.set_xticks(range(1, 11))
        left.set_xlabel("tenth of the rows, the most popular first")
        left.set_ylabel("mean size")
    elif sizes is not None:
        every = np.concatenate([sizes.sizes(name) for name in sizes.tables])
        left.bar(*np.unique(every, return_counts=True), color=PARTS["values"])
        left.set_xlabel("size")
        left.set_ylabel("rows")
    else:
        left.set_axis_off()
    start = 0.0
    right.barh("full tables", dense_bytes(metadata) / 1024, color="#222222")
    for part, color in PARTS.items():
        kilobytes = metadata["bytes"][part] / 1024
        if kilobytes:
            label = part.replace("_", " ")
            right.barh(
                "this model", kilobytes, left=start, color=color, label=label
            )
            start += kilobytes
    right.invert_yaxis()
    right.set_xlabel("weights (KiB)")
    right.legend(frameon=False, fontsize="small", loc="lower right")
    for axes in (left, right):
        axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, format="png", metadata={"Software": None})
