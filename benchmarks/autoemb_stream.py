"""One batch of AutoEmb's stream: controllers, scoring, model, counts.

Batch 500, six candidate sizes, both sides' ids after a power law, at the
numbers of rows of MovieLens-1M, of MovieLens-20M and at two million. Batches
are cut from arrays and the optimizers, counters and last weights are those of
`keras_emb.AutoEmb`; XLA compiles the steps, a hundred batches a call.

The share of the controllers is what falls away when only their step on the
past is left out; the rest (scoring, the model's step, counting) is the
model's.
"""

import time

import keras
import numpy as np

from benchmarks.report import finish
from keras_emb.bilevel import BilevelModel
from keras_emb.layers import find_tables
from keras_emb.optimizers import SparseAdam
from keras_emb.search.autoemb import add_candidates
from keras_emb.training import StreamBatches, StreamRunner
from keras_emb.zoo import StreamingDLRS

BATCH, DIMS = 500, [2, 4, 8, 16, 64, 128]
STEPS, REPEATS = 100, 5


def batch_milliseconds(rows: int) -> dict[str, float]:
    """Median milliseconds of a batch over `rows` ids, and of its parts."""
    random = np.random.default_rng(0)
    sizes = {"user": rows * 3 // 5, "item": rows - rows * 3 // 5}
    count = BATCH * STEPS * (REPEATS + 2)
    # Log-uniform: the density of an id falls as one over its rank.
    ids = {
        name: (size ** random.random(count)).astype(np.int32) - 1
        for name, size in sizes.items()
    }
    stream = StreamBatches(ids, random.integers(0, 2, count), batch_size=BATCH)
    stacked = []
    for repeat in range(REPEATS + 1):
        started = time.perf_counter()
        stream.stack(1 + repeat * STEPS, STEPS)
        stacked.append((time.perf_counter() - started) / STEPS)
    whole = _run(_bilevel(sizes), stream)
    alone = _run(_bilevel(sizes), stream, outer=False)
    return {
        "input": float(np.median(stacked)) * 1e3,
        "whole": whole,
        "without_controller_step": alone,
    }


def _bilevel(sizes: dict[str, int]) -> BilevelModel:
    keras.utils.set_random_seed(0)
    backbone = StreamingDLRS.from_sizes(
        users=sizes["user"], items=sizes["item"], embedding_dim=DIMS[-1]
    )
    model = add_candidates(backbone, DIMS)
    bilevel = BilevelModel(
        model, outer=[table.controller for table in find_tables(model).values()]
    )
    bilevel.compile(
        SparseAdam(1e-3),
        outer_optimizer=SparseAdam(1e-4),
        loss="mse",
        outer_first=True,
    )
    return bilevel


def _run(
    model: BilevelModel, stream: StreamBatches, outer: bool = True
) -> float:
    """Median milliseconds of a batch, slicing included."""
    if not outer:
        model.outer_step = lambda data: None
    runner = StreamRunner(model, jit_compile=True)
    times = []
    for repeat in range(REPEATS + 1):
        started = time.perf_counter()
        runner.run(stream.stack(1 + repeat * STEPS, STEPS), has_past=True)
        times.append((time.perf_counter() - started) / STEPS)
    return float(np.median(times[1:])) * 1e3


def main() -> None:
    """Measures and reports."""
    figures = {}
    for name, rows in (("8k", 8_000), ("166k", 166_000), ("2m", 2_000_000)):
        parts = batch_milliseconds(rows)
        whole = parts["whole"]
        controller = whole - parts["without_controller_step"]
        figures[f"rows_{name}_ms"] = whole
        figures[f"rows_{name}_share_of_input"] = parts["input"] / whole
        figures[f"rows_{name}_share_of_controller"] = controller / whole
        figures[f"rows_{name}_share_of_model"] = (
            1 - (parts["input"] + controller) / whole
        )
    figures["growth_166k_to_2m"] = (
        figures["rows_2m_ms"] / (figures["rows_166k_ms"])
    )
    finish(
        "autoemb_stream",
        figures,
        {
            "rows_8k_ms": ("<=", 25.0),
            "rows_166k_ms": ("<=", 25.0),
            "growth_166k_to_2m": ("<=", 1.3),
        },
    )


if __name__ == "__main__":
    main()
