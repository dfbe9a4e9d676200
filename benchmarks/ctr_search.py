"""A DNIS search over as many features as Criteo has.

A factorization machine on one table of 2,086,976 rows, 39 fields, blocks by
decades of popularity; ids follow a power law. The step is that of
`keras_emb.DNIS`: weights on a training batch, the selection on a validation
batch. Memory is the most the process ever held, TensorFlow included.
"""

import argparse
import resource
import time

import keras
import numpy as np

from benchmarks.report import finish
from keras_emb.bilevel import BilevelModel
from keras_emb.layers import find_tables, table_counts
from keras_emb.optimizers import BlockNormalizedSGD, SparseAdam
from keras_emb.search.dnis import (
    add_selection,
    decade_sizes,
    popularity_blocks,
)
from keras_emb.training import (
    OBJECTIVES,
    PairedBatches,
    ShuffledBatches,
    StepRunner,
)
from keras_emb.zoo import FactorizationMachine

FEATURES, COUNTS, CATEGORIES = 2_086_976, 13, 26
STEPS, REPEATS = 10, 7


def field_sizes() -> dict[str, int]:
    """Rows of each field: small counts, categories from a few to many."""
    sizes = {f"I{n + 1}": 40 + 15 * n for n in range(COUNTS)}
    # Spread over five powers of ten, as Criteo's are.
    shape = np.logspace(0.6, 5.6, CATEGORIES)
    rest = FEATURES - sum(sizes.values())
    rows = np.maximum(np.floor(shape / shape.sum() * rest), 3).astype(int)
    rows[-1] += rest - rows.sum()
    return sizes | {f"C{n + 1}": int(r) for n, r in enumerate(rows)}


def make_batches(
    fields: dict[str, int], examples: int, batch_size: int
) -> tuple[PairedBatches, dict[str, np.ndarray]]:
    """Batches of made-up clicks, and how often each row comes."""
    random = np.random.default_rng(0)
    columns = {
        # Log-uniform: the density of an id falls as one over its rank.
        name: (rows ** random.random(examples)).astype(np.int32) - 1
        for name, rows in fields.items()
    }
    label = (random.random(examples) < 0.25).astype(np.float32)
    popularity = {
        name: np.bincount(columns[name], minlength=rows)
        for name, rows in fields.items()
    }
    inner, outer = (
        ShuffledBatches(columns, label, batch_size=batch_size, seed=seed)
        for seed in (0, 1)
    )
    return PairedBatches(inner, outer), popularity


def main() -> None:
    """Measures and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=512)
    parser.add_argument("--embedding-dim", type=int, default=16)
    arguments = parser.parse_args()
    batch_size = arguments.batch_size
    fields = field_sizes()
    batches, popularity = make_batches(fields, 40 * batch_size, batch_size)
    keras.utils.set_random_seed(0)
    model = FactorizationMachine.from_sizes(
        fields=fields, embedding_dim=arguments.embedding_dim, shared=True
    )
    counts = table_counts(model, popularity)
    blocks = popularity_blocks(counts, block_sizes=decade_sizes(counts))
    selected = add_selection(model, blocks)
    table = find_tables(selected)["fields"]
    bilevel = BilevelModel(selected, outer=[table.selection])
    bilevel.compile(
        SparseAdam(1e-3),
        outer_optimizer=BlockNormalizedSGD(1e-2),
        loss=OBJECTIVES["click"].loss,
    )
    runner = StepRunner(bilevel)
    times, processor = [], []
    for repeat in range(REPEATS + 1):
        started = time.perf_counter(), time.process_time()
        runner.run(batches.stack(repeat * STEPS, STEPS))
        times.append((time.perf_counter() - started[0]) / STEPS)
        processor.append((time.process_time() - started[1]) / STEPS)
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    finish(
        "ctr_search",
        {
            "features": float(sum(fields.values())),
            "batch_size": float(batch_size),
            "embedding_dim": float(arguments.embedding_dim),
            "step_ms": float(np.median(times[1:])) * 1e3,
            "step_processor_ms": float(np.median(processor[1:])) * 1e3,
            "memory_gib": most / 2**20,
        },
        {"step_ms": ("<=", 30.0), "memory_gib": ("<=", 6.0)},
    )


if __name__ == "__main__":
    main()
