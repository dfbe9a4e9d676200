"""Raw ids as arrays of integers or strings."""

from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["as_ids"]


def as_ids(values: npt.ArrayLike) -> npt.NDArray[Any]:
    """Makes an array of raw ids.

    Strings that come as objects, as pandas holds them, become an array of
    strings; whatever else is no integer or string is left for the caller to
    refuse.

    >>> as_ids(np.array(["u1", "u20"], dtype=object)).dtype
    dtype('<U3')

    Args:
        values: Raw ids of any shape.
    """
    ids = np.asarray(values)
    if ids.dtype.kind == "O" and all(isinstance(v, str) for v in ids.flat):
        return ids.astype(str)
    return ids
