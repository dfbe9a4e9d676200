"""One part of a data set, ready to feed."""

import dataclasses
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["Examples"]


@dataclasses.dataclass(frozen=True, eq=False)
class Examples:
    """Feature columns, labels and times of one part of a data set.

    Example:

    >>> examples = Examples({"user": [1, 2], "item": [3, 0]}, label=[4.0, 5.0])
    >>> len(examples)
    2

    Args:
        features: By feature name, table rows of shape `(n,)`, or `(n, m)`
            where an example has several, kept as int32; or the values of a
            numeric field, `(n,)` and float32 already.
        label: Ratings or labels, `(n,)`, kept as float32.
        time: Times, `(n,)`, kept as int64; 0 is unknown. `None` where the
            source has no times.

    Raises:
        ValueError: If there is no feature, a feature is not of numbers, a
            time is not of integer type, or the lengths differ.
    """

    features: dict[str, npt.NDArray[Any]]
    label: npt.NDArray[np.float32]
    time: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        if not self.features:
            raise ValueError(
                "`features` must hold a column. "
                f"Received: features={self.features}"
            )
        label = np.asanyarray(self.label, dtype=np.float32)
        features = {
            name: _feature(f"features[{name!r}]", values, label.shape)
            for name, values in self.features.items()
        }
        object.__setattr__(self, "label", label)
        object.__setattr__(self, "features", features)
        if self.time is not None:
            time = _column("time", self.time, np.int64, label.shape)
            object.__setattr__(self, "time", time)

    def __len__(self) -> int:
        return len(self.label)


def _feature(
    name: str, values: npt.ArrayLike, shape: tuple[int, ...]
) -> npt.NDArray[Any]:
    column = np.asanyarray(values)
    if column.dtype == np.float32 and column.shape == shape:
        return column
    if column.ndim == 2 and column.dtype.kind in "iu" and len(shape) == 1:
        for part in column.T:
            _column(name, part, np.int32, shape)
        return column.astype(np.int32, copy=False)
    return _column(name, values, np.int32, shape)


def _column(
    name: str,
    values: npt.ArrayLike,
    dtype: type[np.int32] | type[np.int64],
    shape: tuple[int, ...],
) -> npt.NDArray[Any]:
    # A mapped file stays one.
    column = np.asanyarray(values)
    if column.dtype.kind not in "iu" and column.size:
        raise ValueError(
            f"`{name}` must hold integers. Received: dtype={column.dtype}"
        )
    if column.ndim != 1 or column.shape != shape:
        raise ValueError(
            f"`{name}` must be one-dimensional and as long as `label` "
            f"(shape {shape}). Received: shape={column.shape}"
        )
    return column.astype(dtype, copy=False)
