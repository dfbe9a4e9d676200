"""What an assignment may cost."""

import dataclasses
import math
import numbers
from collections.abc import Mapping
from typing import Any

import numpy as np

from keras_emb.compression.precision import bytes_per_value

__all__ = ["Budget"]


@dataclasses.dataclass(frozen=True)
class Budget:
    """Share of the dense tables' parameters, or a number of bytes.

    The one notion of cost for every method. Bytes count the values at the
    given precision and all that is needed to find them; a share counts
    parameters only.

    >>> Budget.of(0.1).num_parameters(640)
    64
    >>> Budget.of(4096)
    Budget(share=None, num_bytes=4096, precision='float32')

    Args:
        share: Share of the parameters kept, in (0, 1].
        num_bytes: Bytes kept, a positive integer.
        precision: Type of the stored values, for budgets in bytes.

    Raises:
        ValueError: If not exactly one of `share` and `num_bytes` is given,
            or one is out of range.
    """

    share: float | None = None
    num_bytes: int | None = None
    precision: str = "float32"

    def __post_init__(self) -> None:
        if (self.share is None) == (self.num_bytes is None):
            raise ValueError(
                "Exactly one of `share` and `num_bytes` must be given. "
                f"Received: share={self.share}, num_bytes={self.num_bytes}"
            )
        if self.share is not None and not 0.0 < self.share <= 1.0:
            raise ValueError(
                f"`share` must lie in (0, 1]. Received: share={self.share}"
            )
        if self.num_bytes is not None and (
            not isinstance(self.num_bytes, numbers.Integral)
            or isinstance(self.num_bytes, bool)
            or self.num_bytes < 1
        ):
            raise ValueError(
                "`num_bytes` must be a positive integer. "
                f"Received: num_bytes={self.num_bytes!r}"
            )
        bytes_per_value(self.precision)

    @classmethod
    def of(cls, budget: "Budget | float | int") -> "Budget":
        """Reads a number as a budget.

        Args:
            budget: A fraction is a share, an integer a number of bytes, 1
                the whole; a budget is returned as it is.

        Returns:
            The budget.

        Raises:
            ValueError: If `budget` is none of these.
        """
        if isinstance(budget, cls):
            return budget
        if isinstance(budget, bool) or not isinstance(budget, numbers.Real):
            raise ValueError(
                "`budget` must be a share (float), bytes (int) or a Budget. "
                f"Received: budget={budget!r}"
            )
        if isinstance(budget, numbers.Integral) and budget != 1:
            return cls(num_bytes=int(budget))
        return cls(share=float(budget))

    def halved(self) -> "Budget":
        """Half of it, at least a byte.

        >>> Budget.of(0.5).halved().share
        0.25
        """
        if self.share is not None:
            return dataclasses.replace(self, share=self.share / 2)
        return dataclasses.replace(
            self, num_bytes=max(1, (self.num_bytes or 0) // 2)
        )

    def num_parameters(self, dense_parameters: int) -> int:
        """Most parameters a share allows.

        Args:
            dense_parameters: Parameters of the dense tables.

        Returns:
            The share of them, rounded down.

        Raises:
            ValueError: If the budget is one of bytes.
        """
        if self.share is None:
            raise ValueError(
                "A budget in bytes fixes no number of parameters. "
                f"Received: {self}"
            )
        # A share like 0.29 lies a rounding below its hundredfold.
        return math.floor(self.share * dense_parameters * (1 + 1e-15))

    def resolve_share(self, tables: Mapping[str, Any]) -> float:
        """The budget as a share of parameters, an index not counted.

        Args:
            tables: Arrays of shape `(rows, dim)` by table name.

        Returns:
            `share` itself; for bytes, the share of the values that they
            would pay for if values were all there is to store.
        """
        if self.share is not None:
            return self.share
        parameters = sum(int(np.prod(np.shape(t))) for t in tables.values())
        dense = parameters * bytes_per_value(self.precision)
        return min(1.0, (self.num_bytes or 0) / dense)
