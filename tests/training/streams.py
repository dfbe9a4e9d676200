"""Small streams and models that go through them."""

import keras
import numpy as np

from keras_emb.bilevel import BilevelModel
from keras_emb.layers import (
    MultiSizeEmbedding,
    PopularityController,
    SizeLogits,
    SoftSizeEmbedding,
)
from keras_emb.optimizers import SparseAdam
from keras_emb.training import StreamBatches
from keras_emb.zoo import StreamingDLRS

__all__ = [
    "ITEMS",
    "USERS",
    "interactions",
    "make_backbone",
    "make_batches",
    "make_bilevel",
    "observed_state",
    "observed_variables",
]

USERS, ITEMS = 12, 8


def make_backbone(
    controller="weights", task="binary", decay=1.0, seed=0, **kwargs
):
    """`StreamingDLRS` over tables of two widths; only users may fade."""
    keras.utils.set_random_seed(seed)
    tables = {}
    for side, rows in (("user", USERS), ("item", ITEMS)):
        weigh = (
            SizeLogits(rows, 2, name=f"{side}_controller")
            if controller == "logits"
            else PopularityController(
                2,
                use_last_weights=controller != "popularity",
                use_last_loss=controller == "loss",
                cap=2,
                popularity_dim=2,
                hidden_units=3,
                name=f"{side}_controller",
            )
        )
        if controller != "logits":
            # From zeros, Adam would blow up the rounding of no gradient.
            kernel = weigh.logits.kernel
            kernel.assign(np.linspace(-1, 1, 6).reshape(kernel.shape))
        candidates = MultiSizeEmbedding(
            rows,
            [1, 3],
            embeddings_initializer="random_normal",
            name=f"{side}_candidates",
        )
        tables[side] = SoftSizeEmbedding(
            candidates,
            weigh,
            decay=decay if side == "user" else 1.0,
            name=f"{side}_table",
        )
    return StreamingDLRS(
        tables, task=task, num_classes=3, hidden_units=4, **kwargs
    )


def make_bilevel(
    controller="weights",
    task="binary",
    rate=0.02,
    loss=None,
    decay=1.0,
    seed=0,
    **compiling,
):
    """The backbone, its controllers outer, compiled for a stream."""
    backbone = make_backbone(controller, task, decay, seed)
    tables = backbone.tables.values()
    model = BilevelModel(backbone, [table.controller for table in tables])
    if loss is None:
        loss = "mse"
        if task == "multiclass":
            loss = "sparse_categorical_crossentropy"
    model.compile(
        SparseAdam(rate),
        outer_optimizer=SparseAdam(rate),
        loss=loss,
        outer_first=True,
        **compiling,
    )
    return model


def interactions(count=40, seed=0, classes=2):
    """Rows, popular ones often, and labels."""
    random = np.random.default_rng(seed)
    ids = {
        "user": (USERS * random.uniform(size=count) ** 2).astype("int32"),
        "item": (ITEMS * random.uniform(size=count) ** 2).astype("int32"),
    }
    return ids, random.integers(0, classes, count).astype("float32")


def make_batches(count=40, batch_size=8, seed=0, classes=2, **kwargs):
    """A stream of those."""
    ids, label = interactions(count, seed, classes)
    return StreamBatches(ids, label, batch_size=batch_size, **kwargs)


def observed_variables(model):
    """What the tables know of their ids."""
    names = ("counts", "seen_at", "clock", "last_weights", "last_loss")
    return [v for v in model.variables if v.name in names]


def observed_state(model):
    """The values of those."""
    return [v.numpy() for v in observed_variables(model)]
