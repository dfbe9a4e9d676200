"""As many coordinates as a number of bytes allows."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from keras_emb.compression import SizeAssignment

__all__ = ["within_bytes"]

_BYTES = 4


def within_bytes(
    choose: Callable[[int], Mapping[str, np.ndarray]],
    num_bytes: int,
    output_dims: Mapping[str, int],
    origin: dict[str, Any] | None = None,
) -> SizeAssignment:
    """Chooses sizes whose values and index take no more than some bytes.

    >>> def choose(parameters):
    ...     return {"user": np.full(100, min(parameters // 100, 8))}
    >>> sizes = within_bytes(choose, 2000, {"user": 8})
    >>> sizes.num_parameters, sizes.memory_bytes()
    (400, 1628)

    Args:
        choose: Takes the most coordinates there may be, and gives the sizes
            of the rows by table. Given few enough, it must return sizes that
            fit, or raise.
        num_bytes: Most bytes.
        output_dims: Full width by table.
        origin: What made the assignment.

    Returns:
        The first choice that fits.
    """
    parameters = num_bytes // _BYTES
    while True:
        sizes = choose(parameters)
        assignment = SizeAssignment.from_sizes(sizes, output_dims, origin)
        excess = assignment.memory_bytes() - num_bytes
        if excess <= 0:
            return assignment
        rows = sum(len(of_table) for of_table in sizes.values())
        # The index is known only once the sizes are.
        parameters -= max(-(-excess // _BYTES), rows // 1024 + 1)
