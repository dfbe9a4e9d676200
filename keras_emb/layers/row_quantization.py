"""Values in few bits, with a scale for every row.

Pure functions over NumPy arrays.
"""

from typing import Literal

import numpy as np
import numpy.typing as npt

__all__ = [
    "SCALE_DTYPE",
    "StoredPrecision",
    "half_values",
    "quantize_values",
    "row_scales",
]

StoredPrecision = Literal["float16", "int8"]
SCALE_DTYPE = "float16"
_LEVELS = 127


def row_scales(largest: npt.ArrayLike) -> npt.NDArray[np.float16]:
    """What one step of eight bits is worth in each row.

    The smallest numbers of half precision with which a row's largest value
    still fits: `scale >= largest / 127`.

    >>> row_scales([127.0, 0.0]).tolist()
    [1.0, 0.0]

    Args:
        largest: Largest absolute value of each row.

    Returns:
        Array of the same shape.

    Raises:
        ValueError: If a value is not finite, or too large for half precision.
    """
    exact = np.asarray(largest, np.float64) / _LEVELS
    if not (exact < np.finfo(np.float16).max).all():
        raise ValueError(
            "Values to be stored in int8 must be finite, and at most "
            f"{_LEVELS * float(np.finfo(np.float16).max):.0f} in size. "
            f"Received: {np.max(largest)}"
        )
    scales = exact.astype(np.float16)
    above = np.nextafter(scales, np.float16(np.inf))
    return np.where(scales < exact, above, scales)


def quantize_values(
    values: npt.ArrayLike, scales: npt.ArrayLike
) -> npt.NDArray[np.int8]:
    """The nearest number of steps for every value.

    `|value - scale * quantized| <= scale / 2`.

    >>> quantize_values([[1.0, -0.26]], [[0.5]]).tolist()
    [[2, -1]]

    Args:
        values: Array of any shape.
        scales: Scales that broadcast against it, of `row_scales`.

    Returns:
        Array of the shape of `values`.
    """
    steps = np.asarray(scales, np.float64)
    # A scale of zero stands for a row of zeros.
    steps = np.where(steps > 0, steps, 1.0)
    return np.rint(np.asarray(values, np.float64) / steps).astype(np.int8)


def half_values(values: npt.ArrayLike) -> npt.NDArray[np.float16]:
    """The nearest numbers of half precision.

    >>> half_values([1.0, 0.1]).tolist()
    [1.0, 0.0999755859375]

    Args:
        values: Array of any shape.

    Returns:
        Array of the same shape.

    Raises:
        ValueError: If a value is not finite or too large.
    """
    values = np.asarray(values)
    if not (np.abs(values) <= np.finfo(np.float16).max).all():
        raise ValueError(
            "Values to be stored in float16 must be finite, and at most "
            f"{float(np.finfo(np.float16).max):.0f} in size. "
            f"Received: {np.abs(values).max()}"
        )
    return values.astype(np.float16)
