"""Numbers as ids, or as values."""

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.delimited import MISSING

__all__ = ["numeric_buckets", "numeric_values"]


def numeric_buckets(values: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Buckets that widen with the number: its squared logarithm.

    The winners' rule for Criteo (Juan, Zhuang and Chin, 2014): numbers up to
    2 stand for themselves, `x > 2` for `floor(ln(x)^2)`, here moved up by 2
    so that the two do not meet.

    >>> numeric_buckets(np.array([-1, 0, 2, 3, 100])).tolist()
    [-1, 0, 2, 3, 23]

    Args:
        values: Integers, `MISSING` where there is none.

    Returns:
        Integers of the same shape; `MISSING` stays.
    """
    logs = np.log(np.maximum(values, 1))
    return np.where(values > 2, (logs**2).astype(np.int64) + 2, values)


def numeric_values(values: npt.NDArray[np.int64]) -> npt.NDArray[np.float32]:
    """Numbers on a scale where the large ones do not drown the rest.

    `sign(x) ln(1 + |x|)`. A missing number is 1, so that the vector of the
    unknown row comes through as it is.

    >>> [round(float(x), 4) for x in numeric_values(np.array([0, -1]))]
    [0.0, -0.6931]

    Args:
        values: Integers, `MISSING` where there is none.

    Returns:
        float32 array of the same shape.
    """
    known = np.where(values == MISSING, 0, values).astype(np.float64)
    scaled = np.sign(known) * np.log1p(np.abs(known))
    return np.where(values == MISSING, 1.0, scaled).astype(np.float32)
