"""All users of MovieLens-1M, ranked against all movies.

As many users, movies and pairs as MovieLens-1M has, split 50/25/25 for each
user as CIESS does, pairs drawn by a power law; dot products of 64 dimensions,
the test part at cutoffs 5, 10 and 20. The memory is what the process takes at
most beyond what it holds with the data and the model in place: structures of
the evaluation, which are set up once, traces and blocks of scores.
"""

import re
import time
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from benchmarks.report import finish, median_milliseconds
from keras_emb.datasets import Interactions, Ratings
from keras_emb.evaluation import FullRanking

USERS, ITEMS, PAIRS, DIM = 6_040, 3_706, 1_000_209, 64


class Product:
    """Dot products of two random tables."""

    def __init__(self, user_rows: int, item_rows: int) -> None:
        random = np.random.default_rng(1)
        self.tables = [
            tf.Variable(random.standard_normal((rows, DIM)), dtype=tf.float32)
            for rows in (user_rows, item_rows)
        ]

    def encode(self) -> tuple[Any, ...]:
        """The tables as they are."""
        return tuple(table.read_value() for table in self.tables)

    def score_codes(self, user_codes: Any, item_codes: Any) -> Any:
        """Scores of a block of users."""
        return tf.matmul(user_codes, item_codes, transpose_b=True)


def power_law_interactions() -> Interactions:
    """Different pairs, more of them for the first users and items."""
    random = np.random.default_rng(0)
    keys = np.zeros(0, np.int64)
    while len(keys) < PAIRS:
        user = (USERS * random.random(PAIRS) ** 2).astype(np.int64)
        item = (ITEMS * random.random(PAIRS) ** 2).astype(np.int64)
        keys = np.union1d(keys, user * ITEMS + item)
    user, item = np.divmod(random.permutation(keys)[:PAIRS], ITEMS)
    ratings = Ratings(user=user, item=item, rating=np.ones(PAIRS))
    return Interactions.from_ratings(ratings, "per_user_random")


def megabytes(field: str) -> float:
    """A figure of this process's memory, as Linux counts it."""
    # `resource` would count the process that started this one, too.
    status = Path("/proc/self/status").read_text()
    found = re.search(rf"{field}:\s+(\d+) kB", status)
    return int(found[1]) / 1024 if found else float("nan")


def main() -> None:
    """Measures and reports."""
    interactions = power_law_interactions()
    model = Product(*(len(ids) for ids in interactions.vocabularies.values()))
    # Making the data took more than it holds: start the peak anew.
    Path("/proc/self/clear_refs").write_text("5")
    before = megabytes("VmRSS")
    started = time.perf_counter()
    ranking = FullRanking(interactions, "test")
    set_up = time.perf_counter() - started
    times = median_milliseconds(
        {"full_ranking": lambda _: ranking(model)}, repeats=15
    )
    finish(
        "full_ranking",
        {
            "full_ranking_ms": times["full_ranking"],
            "set_up_ms": set_up * 1e3,
            "peak_megabytes": megabytes("VmHWM") - before,
        },
        {"full_ranking_ms": ("<=", 700), "peak_megabytes": ("<=", 300)},
    )


if __name__ == "__main__":
    main()
