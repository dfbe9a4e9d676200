"""Tiny invented rating files in the official layouts."""

import numpy as np

from keras_emb.datasets.movielens import CONFIGS

__all__ = ["FAKE_ROWS", "write_fake_files"]

FAKE_ROWS = [
    (11, 105, 4.0, 1000000003),
    (11, 103, 2.0, 1000000001),
    (12, 105, 5.0, 1000000007),
    (13, 101, 1.0, 1000000005),
    (13, 103, 3.0, 1000000009),
    (12, 101, 3.0, 1000000002),
    (13, 105, 2.0, 1000000004),
]


def write_fake_files(parent, config, rows=FAKE_ROWS, folder=None):
    """Writes rows as a release stores them and returns the file's path."""
    files = CONFIGS[config]
    target = parent / (files.folder if folder is None else folder)
    target.mkdir(parents=True, exist_ok=True)
    form = "{:g}" if config in ("100k", "1m") else "{:.1f}"
    lines = ["userId,movieId,rating,timestamp"] if files.header else []
    for user, item, rating, time in rows:
        columns = [str(user), str(item), form.format(rating), str(time)]
        lines.append(files.separator.join(columns))
    path = target / files.file
    path.write_text("".join(f"{line}\n" for line in lines), encoding="latin-1")
    return path


def random_rows(size, seed=0):
    """Returns rows of different pairs, in random order."""
    rng = np.random.default_rng(seed)
    pairs = rng.permutation(40 * 30)[:size]
    return [
        (int(p // 30) + 1, int(p % 30) + 1, float(r), 1000000000 + int(t))
        for p, r, t in zip(
            pairs,
            rng.integers(1, 6, size),
            rng.integers(0, 10**6, size),
            strict=True,
        )
    ]
