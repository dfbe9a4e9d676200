"""One step of pairwise training on MovieLens-100K, sampling included.

10 000 triplets of a user, an item of theirs and one that is not, 128
dimensions, three layers of propagation, gradients and SparseAdam as
`PairwiseTrainer` runs them; beside LightGCN the other two backbones of CIESS.
The real files are needed, see `keras_emb.datasets.load`.
"""

import time

import keras
import numpy as np

from benchmarks.report import finish
from keras_emb.datasets import load
from keras_emb.layers import BipartiteGraph
from keras_emb.optimizers import SparseAdam
from keras_emb.training import PairwiseModel, StepRunner, TripletSampler
from keras_emb.zoo import NGCF, LightGCN, NeuMF

BATCH, DIM, LAYERS = 10_000, 128, 3
STEPS, REPEATS = 10, 15


def training_graph() -> BipartiteGraph:
    """What the users of MovieLens-100K did in the training half."""
    interactions = load("movielens_100k", split="per_user_random")
    rows = [len(interactions.vocabularies[side]) for side in ("user", "item")]
    train = interactions.train.features
    return BipartiteGraph.from_pairs(train["user"], train["item"], *rows)


def make_runner(model: keras.Model, graph: BipartiteGraph) -> StepRunner:
    """Steps of a model as `PairwiseTrainer` takes them."""
    pairwise = PairwiseModel(model, TripletSampler(graph), BATCH, l2=1e-4)
    pairwise.compile(SparseAdam(1e-3))
    return StepRunner(pairwise)


def main() -> None:
    """Measures and reports."""
    keras.utils.set_random_seed(0)
    graph = training_graph()
    runners = {
        "lightgcn": make_runner(
            LightGCN.from_graph(graph, embedding_dim=DIM, num_layers=LAYERS),
            graph,
        ),
        "ngcf": make_runner(
            NGCF.from_graph(
                graph, embedding_dim=DIM, layer_units=[DIM] * LAYERS
            ),
            graph,
        ),
        "neumf": make_runner(
            NeuMF.from_sizes(
                users=graph.num_users,
                items=graph.num_items,
                embedding_dim=DIM,
                equal_widths=True,
                hidden_units=[DIM],
            ),
            graph,
        ),
    }
    times: dict[str, list[float]] = {name: [] for name in runners}
    for repeat in range(REPEATS + 1):
        seeds = np.zeros((STEPS, 1, 3), np.int32)
        seeds[:, 0, 1] = np.arange(repeat * STEPS, (repeat + 1) * STEPS)
        for name, runner in runners.items():
            started = time.perf_counter()
            runner.run(seeds)
            times[name].append((time.perf_counter() - started) / STEPS)
    finish(
        "lightgcn_step",
        {
            f"{name}_ms": float(np.median(values[1:])) * 1e3
            for name, values in times.items()
        },
        {
            "lightgcn_ms": ("<=", 22.0),
            "ngcf_ms": ("<=", 60.0),
            "neumf_ms": ("<=", 60.0),
        },
    )


if __name__ == "__main__":
    main()
