"""What is kept of one table."""

import dataclasses
from typing import Any, Literal

import numpy as np

from keras_emb.compression.precision import bytes_per_row, bytes_per_value
from keras_emb.layers.row_index import mask_index_bytes, row_index_bytes

__all__ = ["TableSizes"]


@dataclasses.dataclass(frozen=True, eq=False)
class TableSizes:
    """What is kept of one table: a prefix of every row, or any entries.

    >>> table = TableSizes(4, sizes=[0, 4, 2])
    >>> table.num_parameters, table.dense_parameters
    (6, 12)

    Args:
        output_dim: Full width of a row.
        sizes: Integers in `0 .. output_dim`, shape `(rows,)`: a row keeps
            its first `size` coordinates.
        mask: Booleans of shape `(rows, output_dim)`: the entries kept.

    Raises:
        ValueError: If not exactly one of `sizes` and `mask` is given, or it
            does not fit.
    """

    output_dim: int
    sizes: Any = None
    mask: Any = None

    def __post_init__(self) -> None:
        if self.output_dim != int(self.output_dim) or self.output_dim < 1:
            raise ValueError(
                "`output_dim` must be a positive integer. "
                f"Received: output_dim={self.output_dim}"
            )
        if (self.sizes is None) == (self.mask is None):
            raise ValueError(
                "Exactly one of `sizes` and `mask` must be given. Received: "
                f"{'neither' if self.sizes is None else 'both'}"
            )
        object.__setattr__(self, "output_dim", int(self.output_dim))
        if self.sizes is not None:
            kept = _as_sizes(self.sizes, self.output_dim)
            object.__setattr__(self, "sizes", kept)
        else:
            kept = _as_mask(self.mask, self.output_dim)
            object.__setattr__(self, "mask", kept)
        kept.flags.writeable = False

    @property
    def structure(self) -> Literal["prefix", "mask"]:
        """`"prefix"` or `"mask"`."""
        return "prefix" if self.sizes is not None else "mask"

    @property
    def rows(self) -> int:
        """Number of rows."""
        kept = self.sizes if self.sizes is not None else self.mask
        return int(kept.shape[0])

    @property
    def row_sizes(self) -> np.ndarray:
        """Entries kept of each row, int32 of shape `(rows,)`."""
        if self.sizes is not None:
            return np.asarray(self.sizes)
        return np.asarray(self.mask.sum(axis=1, dtype=np.int32))

    @property
    def row_mask(self) -> np.ndarray:
        """Entries kept, booleans of shape `(rows, output_dim)`."""
        if self.mask is not None:
            return np.asarray(self.mask)
        return np.arange(self.output_dim) < np.asarray(self.sizes)[:, None]

    @property
    def num_parameters(self) -> int:
        """Number of entries kept."""
        if self.sizes is not None:
            return int(self.sizes.sum(dtype=np.int64))
        return int(np.count_nonzero(self.mask))

    @property
    def dense_parameters(self) -> int:
        """Number of entries of the full table."""
        return self.rows * self.output_dim

    @property
    def index_bytes(self) -> int:
        """Bytes that locate the values, rows in the order they have.

        Little more than a byte a row at most, a few numbers where rows of
        one size stand together; and for a mask, what says which columns
        live.
        """
        sizes = self.row_sizes
        index = row_index_bytes(sizes, self.output_dim)
        if self.mask is not None:
            index += mask_index_bytes(
                self.rows, self.output_dim, int(sizes.sum(dtype=np.int64))
            )
        return index

    def memory_bytes(self, precision: str = "float32") -> int:
        """Bytes of the values and of all that is needed to find them.

        Args:
            precision: Type of the stored values.

        Returns:
            What `compact` stores for this table with its rows in the order
            they have; folding the order can only make it less.
        """
        # One zero stands at the end, for all entries that are not kept.
        values = (self.num_parameters + 1) * bytes_per_value(precision)
        scales = self.rows * bytes_per_row(precision)
        return values + scales + self.index_bytes

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TableSizes):
            return NotImplemented
        return (
            self.output_dim == other.output_dim
            and self.structure == other.structure
            and np.array_equal(
                self.sizes if self.mask is None else self.mask,
                other.sizes if other.mask is None else other.mask,
            )
        )

    __hash__ = None  # type: ignore[assignment]


def _as_sizes(sizes: Any, output_dim: int) -> np.ndarray:
    array = np.asarray(sizes)
    if array.ndim != 1 or not len(array) or array.dtype.kind not in "iuf":
        raise ValueError(
            "`sizes` must be numbers of shape (rows,). Received: shape "
            f"{array.shape}, dtype {array.dtype}"
        )
    if not (array == np.floor(array)).all() or (
        array.min() < 0 or array.max() > output_dim
    ):
        raise ValueError(
            f"`sizes` must be integers between 0 and {output_dim}. "
            f"Received: sizes from {array.min()} to {array.max()}"
        )
    return array.astype(np.int32)


def _as_mask(mask: Any, output_dim: int) -> np.ndarray:
    array = np.asarray(mask)
    if array.ndim != 2 or not len(array) or array.shape[1] != output_dim:
        raise ValueError(
            f"`mask` must have shape (rows, {output_dim}). "
            f"Received: shape {array.shape}"
        )
    if array.dtype != bool and not np.isin(array, (0, 1)).all():
        raise ValueError(
            f"`mask` must hold booleans. Received: dtype {array.dtype}"
        )
    return array.astype(bool)
