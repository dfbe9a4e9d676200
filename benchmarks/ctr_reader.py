"""Streaming a click log that is larger than the memory allowed.

Writes a file in Criteo's layout, ids as many and as unevenly used as there,
and reads it in a process of its own: one pass over the text, then the split,
the ranking by frequency and the rows, all columns on disk. Memory is the most
that process ever held, TensorFlow and Keras included (`baseline_gib`).
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

from benchmarks.report import finish

ROWS = 20_000
CATEGORIES = np.logspace(0.6, 5.6, 26).astype(int)

_READ = """
import json, resource, sys, time
from keras_emb.datasets import load

def most():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20

baseline, started = most(), time.perf_counter()
data = load("criteo", data_dir=sys.argv[1], work_dir=sys.argv[2])
rows = sum(len(v) for v in data.vocabularies.values())
counted = sum(int(c.sum()) for c in data.popularity.values())
assert counted == 39 * len(data.train)
print(json.dumps({
    "seconds": time.perf_counter() - started,
    "examples": len(data.train) + len(data.validation) + len(data.test),
    "features": rows,
    "baseline_gib": baseline,
    "memory_gib": most(),
}))
"""


def write_log(path: pathlib.Path, gigabytes: float) -> None:
    """Writes made-up lines of a label, 13 counts and 26 hashes."""
    random = np.random.default_rng(0)
    written = 0
    with path.open("w") as file:
        while written < gigabytes * 2**30:
            labels = random.integers(0, 2, ROWS)
            counts = (random.pareto(0.7, (ROWS, 13)) * 3).astype(int)
            counts = np.minimum(counts, 10**6)
            # Log-uniform: the density of an id falls as one over its rank.
            ids = (CATEGORIES ** random.random((ROWS, 26))).astype(int)
            ids += (np.arange(26) + 1) << 24
            text = "".join(
                "\t".join(
                    [
                        str(label),
                        *map(str, numbers),
                        *(f"{i:08x}" for i in hashes),
                    ]
                )
                + "\n"
                for label, numbers, hashes in zip(
                    labels, counts.tolist(), ids.tolist(), strict=True
                )
            )
            file.write(text)
            written += len(text)


def main() -> None:
    """Writes, reads and reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gigabytes", type=float, default=0.2)
    parser.add_argument("--folder", help="where the file is written")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=arguments.folder) as name:
        folder = pathlib.Path(name)
        write_log(folder / "train.txt", arguments.gigabytes)
        size = (folder / "train.txt").stat().st_size
        done = subprocess.run(
            [sys.executable, "-c", _READ, str(folder), str(folder / "work")],
            check=True,
            stdout=subprocess.PIPE,
            text=True,
        )
    figures = json.loads(done.stdout.splitlines()[-1])
    figures["gigabytes"] = size / 2**30
    figures["megabytes_per_second"] = size / 2**20 / figures["seconds"]
    finish("ctr_reader", figures, {"memory_gib": ("<=", 1.0)})


if __name__ == "__main__":
    main()
