"""One step of a DNIS search: weights on a batch, then the selection.

Batch 4096, K = 64, ten blocks, two fields, factorization machine of two
fields (matrix factorization with biases), at the feature counts of
MovieLens-20M and of Criteo; ids follow a power law. The optimizers, the
gradient normalisation, the projection and the metrics are those of
`keras_emb.DNIS`; batches are cut from arrays as in training.
"""

import time

import keras
import numpy as np

from benchmarks.report import finish
from keras_emb.bilevel import BilevelModel
from keras_emb.layers import find_tables
from keras_emb.optimizers import BlockNormalizedSGD, SparseAdam
from keras_emb.search.dnis import add_selection, popularity_blocks
from keras_emb.training import PairedBatches, ShuffledBatches, StepRunner
from keras_emb.zoo import MatrixFactorization

BATCH, DIM, BLOCKS = 4096, 64, 10
STEPS, REPEATS = 20, 9


def step_milliseconds(features: int) -> float:
    """Median milliseconds of a search step over `features` ids."""
    random = np.random.default_rng(0)
    rows = {"user": features * 7 // 8, "item": features - features * 7 // 8}
    examples = BATCH * 40

    def ids(count: int) -> np.ndarray:
        # Log-uniform: the density of an id falls as one over its rank.
        return (count ** random.random(examples)).astype(np.int32) - 1

    columns = {name: ids(count) for name, count in rows.items()}
    label = random.integers(1, 6, examples).astype(np.float32)
    popularity = {
        name: np.bincount(columns[name], minlength=count)
        for name, count in rows.items()
    }
    keras.utils.set_random_seed(0)
    model = MatrixFactorization.from_sizes(
        users=rows["user"], items=rows["item"], embedding_dim=DIM
    )
    selected = add_selection(model, popularity_blocks(popularity, BLOCKS))
    table = next(iter(find_tables(selected).values()))
    bilevel = BilevelModel(selected, outer=[table.selection])
    bilevel.compile(
        SparseAdam(1e-3), outer_optimizer=BlockNormalizedSGD(1e-2), loss="mse"
    )
    runner = StepRunner(bilevel)
    batches = PairedBatches(
        ShuffledBatches(columns, label, batch_size=BATCH, seed=0),
        ShuffledBatches(columns, label, batch_size=BATCH, seed=1),
    )
    times = []
    for repeat in range(REPEATS + 1):
        started = time.perf_counter()
        runner.run(batches.stack(repeat * STEPS, STEPS))
        times.append((time.perf_counter() - started) / STEPS)
    return float(np.median(times[1:])) * 1e3


def main() -> None:
    """Measures and reports."""
    figures = {
        "features_157k_ms": step_milliseconds(156_838),
        "features_2100k_ms": step_milliseconds(2_086_976),
    }
    finish("dnis_step", figures, {name: ("<=", 30.0) for name in figures})


if __name__ == "__main__":
    main()
