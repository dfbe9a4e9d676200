"""An embedding table whose small entries are cut at learnt thresholds."""

from typing import Any, Literal

import keras
import numpy as np

from keras_emb.layers.dense_embedding import DenseEmbedding
from keras_emb.layers.gather_rows import gather_rows

__all__ = ["SoftThresholdEmbedding", "soft_threshold"]


def soft_threshold(values: Any, logits: Any) -> Any:
    """Moves entries towards zero by a threshold, and no further.

    PEP (arXiv 2101.07577), Equations 4 and 5, with the sigmoid as `g`:
    `sign(v) * relu(|v| - sigmoid(s))`.

    >>> soft_threshold([-2.0, 0.25, 1.0], 0.0).numpy().tolist()
    [-1.5, 0.0, 0.5]

    Args:
        values: Tensor `v`.
        logits: Tensor `s`, of a shape that broadcasts to that of `values`.

    Returns:
        Tensor of the shape of `values`.
    """
    values = keras.ops.convert_to_tensor(values)
    excess = keras.ops.abs(values) - keras.ops.sigmoid(logits)
    return keras.ops.sign(values) * keras.ops.relu(excess)


@keras.saving.register_keras_serializable(package="keras_emb")
class SoftThresholdEmbedding(DenseEmbedding):
    """Table that shows what exceeds thresholds trained with it.

    The search-time table of PEP: Liu et al., "Learnable Embedding Sizes for
    Recommender Systems", ICLR 2021, arXiv 2101.07577, Equations 4 and 5. Rows
    and their thresholds are gathered first and compared then, so gradients
    stay sparse. An entry below its threshold gets no gradient from either.

    >>> import numpy as np
    >>> table = SoftThresholdEmbedding(3, 4, embeddings_initializer="ones")
    >>> _ = table.thresholds.assign(np.eye(3, 4) * 100)
    >>> table.mask()[1].tolist()
    [True, False, True, True]

    Args:
        vocabulary_size: Number of rows.
        output_dim: Width of a row.
        granularity: What shares a threshold: `"global"` the whole table,
            `"dimension"` a column, `"feature"` a row, `"feature_dimension"`
            nothing: every entry has its own.
        initial_threshold: First value of the thresholds before the sigmoid.
        weight_decay: Weight of the mean squares of the rows and of the
            thresholds (before the sigmoid) that a training step reads.
            It shrinks rows and raises thresholds. The reference code has the
            optimizer decay both; without it hardly an entry falls below its
            threshold, whose gradient vanishes with the sigmoid.
        embeddings_initializer: Initializer of the table.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`.
        training: Whether `weight_decay` adds to the loss.

    Output shape:
        `(..., output_dim)`.

    Raises:
        ValueError: If `granularity` is unknown, or `weight_decay` is
            negative.
    """

    def __init__(
        self,
        vocabulary_size: int,
        output_dim: int,
        granularity: Literal[
            "global", "dimension", "feature", "feature_dimension"
        ] = "feature_dimension",
        initial_threshold: float = -15.0,
        weight_decay: float = 0.0,
        embeddings_initializer: Any = "glorot_normal",
        **kwargs: Any,
    ) -> None:
        super().__init__(
            vocabulary_size, output_dim, embeddings_initializer, **kwargs
        )
        shapes = {
            "global": (),
            "dimension": (self.output_dim,),
            "feature": (self.vocabulary_size, 1),
            "feature_dimension": (self.vocabulary_size, self.output_dim),
        }
        if granularity not in shapes:
            raise ValueError(
                f"`granularity` must be one of {list(shapes)}. "
                f"Received: granularity={granularity!r}"
            )
        if weight_decay < 0:
            raise ValueError(
                "`weight_decay` must not be negative. "
                f"Received: weight_decay={weight_decay}"
            )
        self.granularity = granularity
        self.initial_threshold = float(initial_threshold)
        self.weight_decay = float(weight_decay)
        self.thresholds = self.add_weight(
            shape=shapes[granularity],
            initializer=keras.initializers.Constant(self.initial_threshold),
            autocast=False,
            name="thresholds",
        )

    def values(self) -> np.ndarray:
        return np.asarray(
            soft_threshold(self.embeddings.value, self.thresholds.value)
        )

    def mask(self) -> np.ndarray:
        """Where the table is not zero, booleans of the shape of `values()`."""
        return np.asarray(self.values() != 0)

    def call(self, ids: Any, training: bool = False) -> Any:
        rows = gather_rows(self.embeddings, ids)
        logits = (
            gather_rows(self.thresholds, ids)
            if self.granularity.startswith("feature")
            else self.thresholds.value
        )
        if training and self.weight_decay:
            squares = (keras.ops.mean(x * x) for x in (rows, logits))
            self.add_loss(self.weight_decay * sum(squares))
        # In float32 whatever the policy: thresholds start below half's least.
        return keras.ops.cast(soft_threshold(rows, logits), self.compute_dtype)

    def compute_output_spec(
        self, ids: Any, training: bool = False
    ) -> keras.KerasTensor:
        return super().compute_output_spec(ids)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "granularity": self.granularity,
            "initial_threshold": self.initial_threshold,
            "weight_decay": self.weight_decay,
        }
