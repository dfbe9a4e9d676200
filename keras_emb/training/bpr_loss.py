"""Bayesian personalized ranking."""

from typing import Any

import keras

__all__ = ["BPRLoss"]


@keras.saving.register_keras_serializable(package="keras_emb")
class BPRLoss(keras.losses.Loss):
    """How far a negative item ranks above a positive one.

    `-log sigmoid(s_positive - s_negative)`, computed as a softplus; Rendle
    et al., "BPR: Bayesian Personalized Ranking from Implicit Feedback",
    UAI 2009. `keras_rs.losses.PairwiseLogisticLoss` is the same for longer
    lists, divided by their length.

    >>> import numpy as np
    >>> loss = BPRLoss()(np.array([[1.0, 0.0]]), np.array([[2.0, 2.0]]))
    >>> round(float(loss), 4)
    0.6931

    Args:
        **kwargs: Arguments of `keras.losses.Loss`.

    Call arguments:
        y_true: Not looked at: the positive item comes first.
        y_pred: Scores of the positive and of the negative item, shape
            `(batch, 2)`.
    """

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"name": "bpr_loss", **kwargs})

    def call(self, y_true: Any, y_pred: Any) -> Any:
        return keras.ops.softplus(y_pred[..., 1] - y_pred[..., 0])
