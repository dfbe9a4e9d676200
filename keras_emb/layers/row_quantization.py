"""Values in few bits, with a scale for every row."""

from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import tensorflow as tf

__all__ = [
    "SCALE_DTYPE",
    "StoredPrecision",
    "half_values",
    "quantize_values",
    "row_scales",
    "scale_codes",
]

StoredPrecision = Literal["float16", "int8"]
SCALE_DTYPE = "uint8"
_LEVELS = 127
# A scale is a power of two with an exponent in eighths, from -20 to 11.875.
_PER_OCTAVE = 8
_SMALLEST = -20
_LARGEST_CODE = int(np.iinfo(SCALE_DTYPE).max)


def scale_codes(largest: npt.ArrayLike) -> npt.NDArray[np.uint8]:
    """What one step of eight bits is worth in each row, as a code of a byte.

    The smallest code of `row_scales` with which a row's largest value still
    fits: `scale >= largest / 127`.

    >>> scale_codes([127.0, 64.0, 0.0]).tolist()
    [160, 153, 0]

    Args:
        largest: Largest absolute value of each row.

    Returns:
        Array of the same shape.

    Raises:
        ValueError: If a value is not finite, or too large for any code.
    """
    exact = np.asarray(largest, np.float64) / _LEVELS
    most = float(2.0 ** (_LARGEST_CODE / _PER_OCTAVE + _SMALLEST))
    if not (exact <= most).all():
        raise ValueError(
            "Values to be stored in int8 must be finite, and at most "
            f"{_LEVELS * most:.0f} in size. Received: {np.max(largest)}"
        )
    exponents = np.log2(np.maximum(exact, 2.0**_SMALLEST)) - _SMALLEST
    return np.ceil(exponents * _PER_OCTAVE).astype(SCALE_DTYPE)


def row_scales(codes: Any) -> Any:
    """The scales of rows from their codes.

    >>> row_scales(tf.constant([160, 152, 0])).numpy().tolist()
    [1.0, 0.5, 9.5367431640625e-07]

    Args:
        codes: Integer tensor or array, of `scale_codes`.

    Returns:
        float32 tensor of the same shape: `2 ** (code / 8 - 20)`.
    """
    exponents = tf.cast(codes, tf.float32) / _PER_OCTAVE + _SMALLEST
    return tf.pow(2.0, exponents)


def quantize_values(
    values: npt.ArrayLike, scales: npt.ArrayLike
) -> npt.NDArray[np.int8]:
    """The nearest number of steps for every value.

    `|value - scale * quantized| <= scale / 2`.

    >>> quantize_values([[1.0, -0.26]], [[0.5]]).tolist()
    [[2, -1]]

    Args:
        values: Array of any shape.
        scales: Positive scales that broadcast against it, of `row_scales`.

    Returns:
        Array of the shape of `values`.
    """
    steps = np.asarray(values, np.float64) / np.asarray(scales, np.float64)
    # A scale that is off by a last bit must not lead past the end.
    return np.clip(np.rint(steps), -_LEVELS, _LEVELS).astype(np.int8)


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
