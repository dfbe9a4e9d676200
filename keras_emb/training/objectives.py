"""The tasks that models are trained for, by name."""

from collections.abc import Mapping

import keras

from keras_emb.evaluation.click_metrics import click_metrics
from keras_emb.training.implicit_objective import ImplicitObjective
from keras_emb.training.objective import Objective

__all__ = ["OBJECTIVES"]

OBJECTIVES: Mapping[str, Objective] = {
    "rating": Objective(),
    "click": Objective(
        # Models of clicks answer with logits: no probability rounds to one.
        loss=keras.losses.BinaryCrossentropy(from_logits=True),
        metrics=click_metrics,
        monitor="logloss",
        logits=True,
    ),
    "top_k": ImplicitObjective(),
}
