"""SparseAdam costs what a batch costs, not what the table costs.

One step on a table of 64 coordinates from 4096 slices, drawn anew each time,
on tables of ten thousand and of a million rows; beside it
`keras.optimizers.Adam` on the million rows, with the same slices.
"""

from collections.abc import Callable
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from benchmarks.report import finish, median_milliseconds
from keras_emb.optimizers import SparseAdam

BATCH, DIM, ROUNDS = 4096, 64, 40


def make_step(optimizer: Any, rows: int) -> Callable[[int], None]:
    """A step on a table of `rows` rows; the round picks the batch."""
    random = np.random.default_rng(0)
    table = keras.Variable(random.normal(size=(rows, DIM)).astype("float32"))
    optimizer.build([table])
    ids = tf.constant(random.integers(0, rows, (ROUNDS, BATCH)), tf.int32)
    values = tf.constant(random.normal(size=(BATCH, DIM)), tf.float32)

    @tf.function
    def step(batch: Any) -> None:
        slices = tf.IndexedSlices(values, batch, tf.constant([rows, DIM]))
        optimizer.apply([slices], [table])

    return lambda number: step(ids[number % ROUNDS])


def main() -> None:
    """Measures and reports."""
    times = median_milliseconds(
        {
            "sparse_10k": make_step(SparseAdam(), 10_000),
            "sparse_1m": make_step(SparseAdam(), 1_000_000),
        },
        repeats=200,
        warm_up=ROUNDS,
    )
    times |= median_milliseconds(
        {
            "sparse_1m_beside_keras": make_step(SparseAdam(), 1_000_000),
            "keras_1m": make_step(keras.optimizers.Adam(), 1_000_000),
        },
        repeats=15,
    )
    figures = {f"{name}_ms": value for name, value in times.items()}
    figures["growth_10k_to_1m"] = times["sparse_1m"] / times["sparse_10k"]
    figures["times_faster_than_keras"] = (
        times["keras_1m"] / times["sparse_1m_beside_keras"]
    )
    finish(
        "sparse_optimizer",
        figures,
        {
            "growth_10k_to_1m": ("<=", 1.5),
            "times_faster_than_keras": (">=", 20),
        },
    )


if __name__ == "__main__":
    main()
