"""The types values are stored in."""

__all__ = ["bytes_per_value"]

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
