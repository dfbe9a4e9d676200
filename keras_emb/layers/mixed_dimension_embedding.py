"""The table a compact model is served with."""

import numbers
from typing import Any, Literal, Self

import keras
import numpy as np
import tensorflow as tf

from keras_emb.layers.gather_rows import gather_rows
from keras_emb.layers.kept_entries import kept_entries
from keras_emb.layers.ragged_reads import (
    RaggedReads,
    pad_rows,
    ragged_positions,
)
from keras_emb.layers.row_index import (
    BLOCK_LENGTH,
    group_rows,
    mask_index_bytes,
    pack_bits,
    row_blocks,
    row_index_kind,
    small_integer,
)
from keras_emb.layers.row_quantization import (
    SCALE_DTYPE,
    StoredPrecision,
    half_values,
    quantize_values,
    row_scales,
    scale_codes,
)

__all__ = ["MixedDimensionEmbedding"]


@keras.saving.register_keras_serializable(package="keras_emb")
class MixedDimensionEmbedding(keras.layers.Layer):
    """Embedding table that stores of every row only the entries kept.

    All values lie in one vector, row after row. Where neighbouring rows have
    the same size they form a group, and the start of a row follows from its
    group; where the groups would take more bytes than a size a row, the
    sizes are stored, with a start for every block of rows. One gather reads
    the values of a batch, padded to `output_dim` with a zero that stands at
    the end of the vector.

    The values are not trainable: it is a table to deploy. `compact` makes
    it; train with `MaskedEmbedding`.

    >>> import numpy as np
    >>> rows = np.arange(12.0).reshape(3, 4)
    >>> table = MixedDimensionEmbedding.from_rows(rows, sizes=[4, 0, 2])
    >>> table(np.array([2, 0])).numpy().tolist()
    [[8.0, 9.0, 0.0, 0.0], [0.0, 1.0, 2.0, 3.0]]
    >>> table.value_bytes, table.index_bytes
    (24, 76)

    Args:
        vocabulary_size: Number of rows.
        output_dim: Width of what is returned.
        num_values: Number of entries kept, of all rows together.
        num_groups: Number of groups of neighbouring rows of equal size; None
            to store a size for every row.
        structure: `"prefix"`: a row keeps its first coordinates; `"mask"`:
            any of them.
        mask_storage: For `"mask"`: `"bits"`, one for every coordinate of
            every row, or `"columns"`, a number for every value.
        precision: `"float16"` or `"int8"`, with a scale for every row, to
            store the values in; None for the layer's own type.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`, each in
            `0 .. vocabulary_size - 1`. Others are an error on CPU, and give
            zeros under XLA: never the values of another row.

    Output shape:
        `(..., output_dim)`.

    Raises:
        ValueError: If a number is out of range, or a name unknown.
    """

    def __init__(
        self,
        vocabulary_size: int,
        output_dim: int,
        num_values: int,
        num_groups: int | None = None,
        structure: Literal["prefix", "mask"] = "prefix",
        mask_storage: Literal["bits", "columns"] = "bits",
        precision: StoredPrecision | None = None,
        **kwargs: Any,
    ) -> None:
        kwargs.setdefault("trainable", False)
        super().__init__(**kwargs)
        _check_integer("vocabulary_size", vocabulary_size, 1)
        _check_integer("output_dim", output_dim, 1)
        _check_integer("num_values", num_values, 0)
        if num_groups is not None:
            _check_integer("num_groups", num_groups, 1)
        _check_choice("structure", structure, ("prefix", "mask"))
        _check_choice("mask_storage", mask_storage, ("bits", "columns"))
        if precision is not None:
            _check_choice("precision", precision, ("float16", "int8"))
        self.vocabulary_size = int(vocabulary_size)
        self.output_dim = int(output_dim)
        self.num_values = int(num_values)
        self.num_groups = num_groups
        self.structure = structure
        self.mask_storage = mask_storage
        self.precision = precision
        self.packed_values = self._store(
            "values", (self.num_values + 1,), precision or self.variable_dtype
        )
        self.scale_weights: list[Any] = []
        if precision == "int8":
            self.scale_codes = self._store(
                "scale_codes", (self.vocabulary_size, 1), SCALE_DTYPE
            )
            self.scale_weights = [self.scale_codes]
        self._index: list[Any] = []
        if num_groups is not None:
            # First row, start and size; int32 has no kernels on GPU.
            self.groups = self._add_index("groups", (num_groups, 3), "int64")
        else:
            blocks = -(-self.vocabulary_size // BLOCK_LENGTH)
            self.row_sizes = self._add_index(
                "row_sizes",
                (blocks, BLOCK_LENGTH),
                small_integer(self.output_dim),
            )
            self.block_starts = self._add_index(
                "block_starts", (blocks,), "int64"
            )
        if structure == "mask" and mask_storage == "bits":
            shape = (self.vocabulary_size, -(-self.output_dim // 8))
            self.column_bits = self._add_index("column_bits", shape, "uint8")
        elif structure == "mask":
            self.columns = self._add_index(
                "columns",
                (self.num_values + 1,),
                small_integer(self.output_dim - 1),
            )
        self.built = True

    def _store(self, name: str, shape: tuple[int, ...], dtype: str) -> Any:
        return self.add_weight(
            shape=shape,
            dtype=dtype,
            initializer="zeros",
            trainable=False,
            autocast=False,
            name=name,
        )

    def _add_index(self, name: str, shape: tuple[int, ...], dtype: str) -> Any:
        weight = self._store(name, shape, dtype)
        self._index.append(weight)
        return weight

    @classmethod
    def from_rows(
        cls,
        rows: Any,
        *,
        sizes: Any = None,
        mask: Any = None,
        **kwargs: Any,
    ) -> Self:
        """Stores what is kept of a dense table in the fewest bytes.

        Args:
            rows: Dense table, shape `(vocabulary_size, output_dim)`.
            sizes: Leading entries kept of each row, shape
                `(vocabulary_size,)`.
            mask: Entries kept, booleans of the shape of `rows`, instead.
            **kwargs: Arguments of `keras.layers.Layer`.

        Returns:
            The table.

        Raises:
            ValueError: If not exactly one of `sizes` and `mask` is given, or
                it does not fit the table.
        """
        rows = np.asarray(rows)
        kept = kept_entries(rows.shape, sizes, mask)
        vocabulary_size, output_dim = rows.shape
        sizes = kept.sum(axis=1, dtype=np.int64)
        num_values = int(sizes.sum())
        by_groups = row_index_kind(sizes, output_dim) == "groups"
        bits = vocabulary_size * -(-output_dim // 8)
        as_bits = mask is None or bits == mask_index_bytes(
            vocabulary_size, output_dim, num_values
        )
        table = cls(
            vocabulary_size,
            output_dim,
            num_values,
            len(group_rows(sizes)) if by_groups else None,
            "prefix" if mask is None else "mask",
            "bits" if as_bits else "columns",
            **kwargs,
        )
        table._assign(rows, kept, sizes)
        return table

    def _assign(
        self, rows: np.ndarray, kept: np.ndarray, sizes: np.ndarray
    ) -> None:
        self.packed_values.assign(np.append(rows[kept], 0.0))
        if self.num_groups is not None:
            self.groups.assign(group_rows(sizes))
        else:
            row_sizes, starts = row_blocks(sizes, self.output_dim)
            self.row_sizes.assign(row_sizes)
            self.block_starts.assign(starts)
        if self.structure == "mask" and self.mask_storage == "bits":
            self.column_bits.assign(pack_bits(kept))
        elif self.structure == "mask":
            self.columns.assign(np.append(np.nonzero(kept)[1], 0))

    def with_precision(self, precision: StoredPrecision) -> Self:
        """The same table with its values in fewer bytes.

        Args:
            precision: `"float16"` or `"int8"`.

        Returns:
            A new table, of the same name.

        Raises:
            ValueError: If the values do not fit the precision, or the table
                has one already.
        """
        if self.precision is not None:
            raise ValueError(
                "`precision` can only be chosen for a table that has none "
                f"yet. Received: a table in {self.precision}"
            )
        copy = type(self).from_config(
            {**self.get_config(), "precision": precision}
        )
        for old, new in zip(self._index, copy._index, strict=True):
            new.assign(old.value)
        values = np.asarray(self.packed_values.numpy())
        if precision == "int8":
            # The zero at the end belongs to no row.
            row = np.repeat(np.arange(self.vocabulary_size), self._sizes())
            largest = np.zeros((self.vocabulary_size, 1), np.float64)
            np.maximum.at(largest[:, 0], row, np.abs(values[:-1]))
            codes = scale_codes(largest)
            copy.scale_codes.assign(codes)
            steps = np.append(row_scales(codes).numpy()[row, 0], 1.0)
            copy.packed_values.assign(quantize_values(values, steps))
        else:
            copy.packed_values.assign(half_values(values))
        return copy

    def _sizes(self) -> np.ndarray:
        """How many values each row has."""
        if self.num_groups is None:
            sizes = self.row_sizes.numpy().ravel()[: self.vocabulary_size]
            return np.asarray(sizes, np.int64)
        groups = self.groups.numpy()
        lengths = np.diff(groups[:, 0], append=self.vocabulary_size)
        return np.asarray(np.repeat(groups[:, 2], lengths))

    @property
    def value_bytes(self) -> int:
        """Bytes of the values kept, without the scales of rows."""
        return self.num_values * _itemsize(self.packed_values)

    @property
    def index_bytes(self) -> int:
        """Bytes of all that is needed to find the values.

        The zero at their end, which stands for every entry not kept, counts
        among them.
        """
        index = sum(
            int(np.prod(weight.shape)) * _itemsize(weight)
            for weight in self._index
        )
        return index + _itemsize(self.packed_values)

    def values(self) -> np.ndarray:
        """The answer for every row, shape `(vocabulary_size, output_dim)`."""
        return np.asarray(self(np.arange(self.vocabulary_size)))

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any) -> Any:
        ids = tf.convert_to_tensor(ids)
        flat = tf.reshape(tf.cast(ids, self._integer), [-1])
        scope = RaggedReads.current()
        if scope is None:
            values = self._look_up(flat)
        else:
            values = scope.call(self._look_up, flat)
        if ids.shape.rank != 1:
            shape = tf.concat([tf.shape(ids), [self.output_dim]], 0)
            values = tf.reshape(values, shape)
        values.set_shape((*ids.shape, self.output_dim))
        return values

    def _look_up(self, ids: Any) -> Any:
        scope = RaggedReads.current()
        known = None
        rows = ids
        if scope is None or not scope.rows_only:
            rows = tf.clip_by_value(ids, 0, self.vocabulary_size - 1)
            known = tf.equal(rows, ids)
        starts, sizes = self._locate(rows)
        if known is not None:
            # Unknown ids read what lies past the end: an error on CPU, and
            # elsewhere a zero.
            starts = tf.where(known, starts, self.num_values + 1)
            sizes = tf.where(known, sizes, 1)
        if self.structure == "mask" and self.mask_storage == "bits":
            values = self._read_bits(rows, starts, known)
        elif scope is None:
            values = self._read_padded(starts, sizes)
        else:
            values = self._read_ragged(starts, sizes)
        if self.precision == "int8":
            scales = row_scales(gather_rows(self.scale_codes, rows))
            values *= tf.cast(scales, values.dtype)
        return tf.cast(values, self.compute_dtype)

    def _read_padded(self, starts: Any, sizes: Any) -> Any:
        order = np.arange(self.output_dim, dtype=self._integer)
        shown = tf.less(order, tf.expand_dims(sizes, 1))
        # Hidden entries read the zero at the end.
        positions = tf.where(
            shown, tf.expand_dims(starts, 1) + order, self.num_values
        )
        values = self._values_at(positions)
        if self.structure == "prefix":
            return values
        # Padding is zero, and adds to a column without changing it.
        columns = tf.cast(gather_rows(self.columns, positions), self._integer)
        count = tf.cast(tf.size(values), self._integer)
        first = tf.range(0, count, self.output_dim)
        places = tf.expand_dims(first, 1) + columns
        values = tf.math.unsorted_segment_sum(values, places, count)
        return tf.reshape(values, [-1, self.output_dim])

    def _read_ragged(self, starts: Any, sizes: Any) -> Any:
        positions, splits = ragged_positions(starts, sizes)
        values = self._values_at(positions)
        if self.structure == "prefix":
            return pad_rows(values, splits, self.output_dim)
        places = tf.range(tf.size(positions, tf.int64))
        row = tf.searchsorted(splits, places, side="right", out_type=tf.int64)
        column = tf.cast(gather_rows(self.columns, positions), tf.int64)
        count = tf.size(starts, tf.int64) * self.output_dim
        values = tf.math.unsorted_segment_sum(
            values, (row - 1) * self.output_dim + column, count
        )
        return tf.reshape(values, [-1, self.output_dim])

    def _read_bits(self, rows: Any, starts: Any, known: Any) -> Any:
        # Shape (n, bytes, 1), then (n, bytes, 8).
        packed = tf.expand_dims(gather_rows(self.column_bits, rows), 2)
        weights = (1 << np.arange(8)).astype(np.uint8)
        shown = tf.not_equal(tf.bitwise.bitwise_and(packed, weights), 0)
        width = 8 * self.column_bits.shape[1]
        shown = tf.reshape(shown, [-1, width])
        if width != self.output_dim:
            shown = shown[:, : self.output_dim]
        if known is not None:
            # All of an unknown row is read, where its start says.
            shown |= tf.expand_dims(tf.logical_not(known), 1)
        order = tf.cast(shown, self._integer)
        order = tf.cumsum(order, axis=1, exclusive=True)
        return self._values_at(
            tf.where(shown, tf.expand_dims(starts, 1) + order, self.num_values)
        )

    def _values_at(self, positions: Any) -> Any:
        values = gather_rows(self.packed_values, positions)
        # Steps are multiplied by their scales in full precision.
        return values if self.precision is None else tf.cast(values, "float32")

    @property
    def _integer(self) -> str:
        # Half the work of int64, where the table is small enough.
        largest = max(self.num_values + self.output_dim, self.vocabulary_size)
        return "int32" if largest < 2**31 - 1 else "int64"

    def _locate(self, rows: Any) -> tuple[Any, Any]:
        """Start and size of each row, of shape `(n,)`."""
        if self.num_groups is not None:
            groups = tf.cast(self.groups.value, self._integer)
            firsts = tf.unstack(groups, axis=1)[0]
            if RaggedReads.current() is None:
                number = _last_not_above(firsts, self.num_groups, rows)
            else:
                number = tf.searchsorted(firsts, rows, side="right") - 1
            group = tf.gather(groups, number)
            first, start, size = tf.unstack(group, axis=1)
            return start + (rows - first) * size, size
        block = rows // BLOCK_LENGTH
        offset = rows % BLOCK_LENGTH
        sizes = gather_rows(self.row_sizes, block)
        sizes = tf.cast(sizes, self._integer)
        places = np.arange(BLOCK_LENGTH, dtype=self._integer)
        before = tf.where(tf.less(places, tf.expand_dims(offset, 1)), sizes, 0)
        before = tf.reduce_sum(before, 1)
        start = tf.cast(gather_rows(self.block_starts, block), self._integer)
        return start + before, tf.gather(sizes, offset, batch_dims=1)

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (*input_shape, self.output_dim)

    def compute_output_spec(self, ids: Any) -> keras.KerasTensor:
        return keras.KerasTensor(
            self.compute_output_shape(ids.shape), dtype=self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "vocabulary_size": self.vocabulary_size,
            "output_dim": self.output_dim,
            "num_values": self.num_values,
            "num_groups": self.num_groups,
            "structure": self.structure,
            "mask_storage": self.mask_storage,
            "precision": self.precision,
        }


def _last_not_above(ascending: Any, count: int, values: Any) -> Any:
    """Places in `ascending` of the last number that is not above a value."""
    # `tf.searchsorted` has no place in LiteRT.
    places = tf.zeros_like(values)
    step = 1 << (count.bit_length() - 1)
    while step:
        further = places + step
        found = tf.gather(ascending, tf.minimum(further, count - 1))
        places = tf.where(
            tf.logical_and(further < count, found <= values), further, places
        )
        step //= 2
    return places


def _check_integer(name: str, value: Any, least: int) -> None:
    if not isinstance(value, numbers.Integral) or value < least:
        raise ValueError(
            f"`{name}` must be an integer of at least {least}. "
            f"Received: {name}={value!r}"
        )


def _check_choice(name: str, value: Any, choices: tuple[str, str]) -> None:
    if value not in choices:
        raise ValueError(
            f"`{name}` must be {choices[0]!r} or {choices[1]!r}. "
            f"Received: {name}={value!r}"
        )


def _itemsize(weight: Any) -> int:
    return int(weight.value.dtype.size)
