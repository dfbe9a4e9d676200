"""What an entry is worth beside its size."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_emb.compression.popularity_weights import popularity_weights
from keras_emb.compression.rotations import popularity_shares

__all__ = ["entry_weights"]


def entry_weights(
    tables: Mapping[str, Any],
    popularity: Mapping[str, Any],
    *,
    power: float = 0.0,
    aligned: bool = False,
) -> dict[str, np.ndarray]:
    """Weighs entries by how often they count, and by what they multiply.

    What a model loses with an entry is the entry times what it meets there.
    In an aligned model (`align`) the two sides of every coordinate are
    balanced, so that is as large, on average, as the table's own entries in
    that coordinate: their root mean square over the training data.

    >>> import numpy as np
    >>> weights = entry_weights(
    ...     {"user": np.array([[4.0, 1.0], [0.0, 1.0]])},
    ...     {"user": np.array([1, 1])},
    ...     aligned=True,
    ... )
    >>> weights["user"].round(2).tolist()
    [[2.83, 1.0], [2.83, 1.0]]

    Args:
        tables: Arrays of shape `(rows, dim)` by name.
        popularity: How much every row counts, by table: its occurrences in
            the training data as a rule.
        power: Power of the popularity, see `popularity_weights`; zero is the
            plain size of DNIS (arXiv 2006.04466) and of magnitude pruning.
        aligned: Whether the tables stand in the basis of `align`.

    Returns:
        float64 arrays of the tables' shapes.
    """
    weights = {}
    for name, table in tables.items():
        values, counts = np.asarray(table), popularity[name]
        coordinates = np.ones(values.shape[1])
        if aligned:
            # Without a copy of the table, which may be large.
            coordinates = np.sqrt(
                np.einsum(
                    "i,ik,ik->k",
                    popularity_shares(counts),
                    values,
                    values,
                    dtype="float64",
                )
            )
        rows = popularity_weights(counts, power)
        weights[name] = np.multiply.outer(rows, coordinates)
    return weights
