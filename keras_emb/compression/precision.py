"""The types values are stored in."""

import numpy as np

from keras_emb.layers.row_quantization import SCALE_DTYPE

__all__ = ["bytes_per_row", "bytes_per_value"]

_BYTES = {
    "float64": 8,
    "float32": 4,
    "float16": 2,
    "bfloat16": 2,
    "int8": 1,
}


def bytes_per_value(precision: str) -> int:
    """Bytes of one stored value.

    >>> bytes_per_value("float16")
    2

    Args:
        precision: `"float64"`, `"float32"`, `"float16"`, `"bfloat16"` or
            `"int8"`.

    Returns:
        Its width in bytes.

    Raises:
        ValueError: If the precision is unknown.
    """
    if precision not in _BYTES:
        raise ValueError(
            f"`precision` must be one of {sorted(_BYTES)}. "
            f"Received: precision={precision!r}"
        )
    return _BYTES[precision]


def bytes_per_row(precision: str) -> int:
    """Bytes that a row costs besides its values: its scale, in int8.

    >>> bytes_per_row("int8"), bytes_per_row("float16")
    (1, 0)

    Args:
        precision: See `bytes_per_value`.
    """
    bytes_per_value(precision)
    return np.dtype(SCALE_DTYPE).itemsize if precision == "int8" else 0
