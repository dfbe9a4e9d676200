"""An embedding table with fixed, settable sizes."""

from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from keras_emb.layers.dense_embedding import DenseEmbedding
from keras_emb.layers.gather_rows import gather_rows

__all__ = ["MaskedEmbedding"]


@keras.saving.register_keras_serializable(package="keras_emb")
class MaskedEmbedding(DenseEmbedding):
    """Full-width table of which each row shows only its own coordinates.

    The sizes are non-trainable weights: they can be set between steps
    without tracing anything anew, and hidden entries get no gradient. Rows
    and their sizes are gathered first and multiplied then, so the gradient
    stays sparse. It is a table to train with; `keras_emb.compact` makes the
    small one.

    >>> import numpy as np
    >>> table = MaskedEmbedding(3, 4)
    >>> table.assign_sizes(np.array([0, 2, 4]))
    >>> (table(np.arange(3)).numpy() != 0).sum(axis=1).tolist()
    [0, 2, 4]

    Args:
        vocabulary_size: Number of rows.
        output_dim: Width of a row.
        structure: `"prefix"`: a row shows its first `size` coordinates;
            `"mask"`: any set of them.
        embeddings_initializer: Initializer of the table.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`.

    Output shape:
        `(..., output_dim)`.

    Raises:
        ValueError: If `structure` is unknown.
    """

    def __init__(
        self,
        vocabulary_size: int,
        output_dim: int,
        structure: Literal["prefix", "mask"] = "prefix",
        embeddings_initializer: Any = "glorot_normal",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size, output_dim, embeddings_initializer, **kwargs
        )
        if structure not in ("prefix", "mask"):
            raise ValueError(
                "`structure` must be 'prefix' or 'mask'. "
                f"Received: structure={structure!r}"
            )
        self.structure = structure
        self.sizes: Any = None
        self.mask: Any = None
        if structure == "prefix":
            # Float: integer variables have no kernels on GPU under XLA.
            self.sizes = self.add_weight(
                shape=(self.vocabulary_size,),
                initializer=keras.initializers.Constant(self.output_dim),
                trainable=False,
                autocast=False,
                name="sizes",
            )
        else:
            self.mask = self.add_weight(
                shape=(self.vocabulary_size, self.output_dim),
                initializer="ones",
                dtype="uint8",
                trainable=False,
                autocast=False,
                name="mask",
            )

    def assign_sizes(self, sizes: Any) -> None:
        """Sets the size of every row.

        Args:
            sizes: Integers in `0 .. output_dim`, shape `(vocabulary_size,)`.
        """
        self._require("prefix")
        sizes = np.asarray(sizes)
        if (
            sizes.shape != (self.vocabulary_size,)
            or (sizes != np.floor(sizes)).any()
            or sizes.min() < 0
            or sizes.max() > self.output_dim
        ):
            found = f"{sizes.min()} to {sizes.max()}" if sizes.size else "none"
            raise ValueError(
                f"`sizes` must be {self.vocabulary_size} integers between 0 "
                f"and {self.output_dim}. Received: shape {sizes.shape}, "
                f"values {found}"
            )
        self.sizes.assign(sizes)

    def resize(self, ids: Any, sizes: Any) -> None:
        """Gives some rows other sizes, and touches no other row.

        A row that grows answers as before: its new coordinates are zero. A
        row that shrinks forgets what it no longer shows.

        Args:
            ids: Different rows, integers of shape `(n,)`.
            sizes: Their new sizes, integers in `0 .. output_dim`, shape
                `(n,)`.
        """
        self._require("prefix")
        ids, sizes = np.asarray(ids), np.asarray(sizes)
        in_table = ids.ndim == 1 and (
            not len(ids) or 0 <= ids.min() <= ids.max() < self.vocabulary_size
        )
        if not in_table or len(np.unique(ids)) != len(ids):
            raise ValueError(
                "`ids` must be different rows in "
                f"0..{self.vocabulary_size - 1}. Received: ids={ids}"
            )
        if (
            sizes.shape != ids.shape
            or (sizes != np.floor(sizes)).any()
            or not ((sizes >= 0).all() and (sizes <= self.output_dim).all())
        ):
            raise ValueError(
                "`sizes` must be one integer a row, between 0 and "
                f"{self.output_dim}. Received: sizes={sizes} for ids={ids}"
            )
        if not len(ids):
            return
        old = gather_rows(self.sizes, ids).numpy()
        kept = np.arange(self.output_dim) < np.minimum(old, sizes)[:, None]
        rows = gather_rows(self.embeddings, ids).numpy() * kept
        for variable, values in (
            (self.embeddings, rows),
            (self.sizes, sizes.astype(self.sizes.dtype)),
        ):
            variable.value.scatter_update(tf.IndexedSlices(values, ids))

    def assign_mask(self, mask: Any) -> None:
        """Sets which entries are shown.

        Args:
            mask: Booleans of shape `(vocabulary_size, output_dim)`.
        """
        self._require("mask")
        mask = np.asarray(mask)
        shape = (self.vocabulary_size, self.output_dim)
        if mask.shape != shape or not np.isin(mask, (0, 1)).all():
            raise ValueError(
                f"`mask` must be booleans of shape {shape}. Received: shape "
                f"{mask.shape}, dtype {mask.dtype}"
            )
        self.mask.assign(mask.astype("uint8"))

    def values(self) -> np.ndarray:
        values = super().values()
        if self.structure == "mask":
            return values * self.mask.numpy()
        shown = np.arange(self.output_dim) < self.sizes.numpy()[:, None]
        return np.asarray(values * shown)

    def call(self, ids: Any) -> Any:
        rows = super().call(ids)
        if self.structure == "mask":
            shown = gather_rows(self.mask, ids)
        else:
            sizes = gather_rows(self.sizes, ids)
            coordinates = keras.ops.arange(self.output_dim, dtype=sizes.dtype)
            shown = coordinates < sizes[..., None]
        return rows * keras.ops.cast(shown, rows.dtype)

    def _require(self, structure: str) -> None:
        if self.structure != structure:
            raise ValueError(
                f"This table has structure {self.structure!r}, so a "
                f"{structure} cannot be assigned. Received: layer={self.name}"
            )

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "structure": self.structure}
