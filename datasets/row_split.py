"""Which rows go to which part."""

import dataclasses

import numpy as np
import numpy.typing as npt

__all__ = ["RowSplit"]


@dataclasses.dataclass(frozen=True, eq=False)
class RowSplit:
    """Row numbers of the three parts of a split.

    Args:
        train: Rows to learn from, `(n_train,)` int64.
        validation: Rows to choose by, `(n_validation,)` int64.
        test: Rows to report on, `(n_test,)` int64.
        dropped: Rows in no part, by reason.
    """

    train: npt.NDArray[np.int64]
    validation: npt.NDArray[np.int64]
    test: npt.NDArray[np.int64]
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)
