"""A compact recommender against its dense twin, as a server runs them.

Matrix factorization with the users and movies of MovieLens-1M, d = 128; of the
compact one a twentieth of the values, rows of random sizes. Both are exported
with the same signatures and raw ids, loaded in one process, and asked in turn:
`recommend` for one user who has seen 50 items, and `serving_default` for 1 000
pairs. The memory is what a process without Python that has loaded the model
and answered holds of its own, files it has mapped not counted.
"""

import functools
import re
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.report import finish
from keras_emb.compression import SizeAssignment, compact
from keras_emb.datasets import Vocabulary
from keras_emb.serving import export_recommender
from keras_emb.zoo import MatrixFactorization
from tests.serving.c_server import CServer, build

USERS, ITEMS, WIDTH, PAIRS, REPEATS = 6_041, 3_707, 128, 1_000, 1_000
MEAN_SIZE = 0.05 * WIDTH


def export_twins(folder: Path) -> dict[str, Path]:
    """Writes the dense, the compact and the int8 model."""
    keras.utils.set_random_seed(0)
    random = np.random.default_rng(0)
    rows = {"user": USERS, "item": ITEMS}
    dense = MatrixFactorization.from_sizes(
        users=USERS, items=ITEMS, embedding_dim=WIDTH
    )
    sizes = {
        name: (random.geometric(1 / (1 + MEAN_SIZE), count) - 1).clip(0, WIDTH)
        for name, count in rows.items()
    }
    small, _ = compact(
        dense,
        SizeAssignment.from_sizes(sizes, dict.fromkeys(sizes, WIDTH)),
        row_order="fold",
    )
    ids = {name: Vocabulary(np.arange(1, n)) for name, n in rows.items()}
    return {
        "dense": export_recommender(dense, ids, folder / "dense"),
        "compact": export_recommender(small, ids, folder / "compact"),
        "int8": export_recommender(
            small, ids, folder / "int8", precision="int8"
        ),
    }


def requests() -> dict[str, dict[str, Any]]:
    """What is asked, by signature."""
    random = np.random.default_rng(1)
    return {
        "serving_default": {
            "user": random.integers(1, USERS, PAIRS),
            "item": random.integers(1, ITEMS, PAIRS),
        },
        "recommend": {
            "user": np.array([17]),
            "seen": random.integers(1, ITEMS, (1, 50)),
            "k": np.int32(20),
        },
    }


def timed(calls: dict[str, Callable[[], Any]]) -> dict[str, Any]:
    """Milliseconds of every call, made in turn."""
    times: dict[str, list[float]] = {name: [] for name in calls}
    for number in range(-20, REPEATS):
        for name, call in calls.items():
            started = time.perf_counter()
            call()
            if number >= 0:
                times[name].append(1e3 * (time.perf_counter() - started))
    return times


def resident_megabytes(program: Path, folder: Path) -> float:
    """Memory of a process that has loaded a model and answered."""
    with CServer(program, folder) as server:
        for _ in range(20):
            for name, inputs in requests().items():
                server.predict(name, inputs)
        found = re.search(r"RssAnon:\s+(\d+) kB", server.status())
    return int(found[1]) / 1024 if found else float("nan")


def main() -> None:
    """Measures and reports."""
    figures = {}
    with tempfile.TemporaryDirectory() as name:
        folders = export_twins(Path(name))
        loaded = {
            kind: tf.saved_model.load(str(folder))
            for kind, folder in folders.items()
        }
        for signature, inputs in requests().items():
            tensors = {key: tf.constant(value) for key, value in inputs.items()}
            times = timed(
                {
                    kind: functools.partial(
                        model.signatures[signature], **tensors
                    )
                    for kind, model in loaded.items()
                }
            )
            for kind, values in times.items():
                for share in (50, 99):
                    figures[f"{kind}_{signature}_p{share}_ms"] = float(
                        np.percentile(values, share)
                    )
            for kind in ("compact", "int8"):
                for share in (50, 99):
                    ending = f"{signature}_p{share}"
                    figures[f"{kind}_over_dense_{ending}"] = (
                        figures[f"{kind}_{ending}_ms"]
                        / figures[f"dense_{ending}_ms"]
                    )
        for kind, folder in folders.items():
            figures[f"{kind}_kilobytes"] = (
                sum(
                    file.stat().st_size
                    for file in folder.rglob("*")
                    if file.is_file()
                )
                / 1000
            )
        program = build(name)
        if program is not None:
            for kind, folder in folders.items():
                figures[f"{kind}_resident_megabytes"] = resident_megabytes(
                    program, folder
                )
    finish(
        "serving",
        figures,
        {
            f"compact_over_dense_{signature}_p{share}": ("<=", 1.5)
            for signature in requests()
            for share in (50, 99)
        },
    )


if __name__ == "__main__":
    main()
