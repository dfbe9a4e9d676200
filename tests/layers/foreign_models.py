"""Models by somebody who has never heard of this library."""

import keras
import numpy as np
from keras import layers

IDS = {
    "user": np.array([0, 3, 4, 3], "int32"),
    "item": np.array([2, 1, 0, 2], "int32"),
}


def functional() -> keras.Model:
    user = keras.Input((1,), dtype="int32", name="user")
    item = keras.Input((), dtype="int32", name="item")
    rows = [
        layers.Embedding(5, 4, name="user_table")(layers.Flatten()(user)),
        layers.Embedding(3, 4, name="item_table")(item),
    ]
    hidden = layers.Concatenate()([layers.Reshape((4,))(rows[0]), rows[1]])
    hidden = layers.Dropout(0.5)(layers.Dense(6, "relu")(hidden))
    return keras.Model(
        {"user": user, "item": item}, layers.Dense(1)(hidden), name="foreign"
    )


def nested() -> keras.Model:
    ids = keras.Input((), dtype="int32", name="id")
    tower = keras.Model(
        ids,
        layers.Dense(3)(layers.Embedding(5, 4, name="user_table")(ids)),
        name="tower",
    )
    items = keras.Sequential(
        [
            keras.Input((), dtype="int32"),
            layers.Embedding(3, 3, name="word"),
            layers.BatchNormalization(),
        ],
        name="items",
    )
    user = keras.Input((), dtype="int32", name="user")
    item = keras.Input((), dtype="int32", name="item")
    return keras.Model(
        {"user": user, "item": item},
        layers.Dot(-1)([tower(user), items(item)]),
    )


def sequential() -> keras.Model:
    return keras.Sequential(
        [
            keras.Input((), dtype="int32"),
            layers.Embedding(3, 4, name="word"),
            layers.Dense(1),
        ]
    )


def twice_shared() -> keras.Model:
    first = keras.Input((), dtype="int32", name="user")
    second = keras.Input((), dtype="int32", name="item")
    table = layers.Embedding(5, 4, name="word")
    output = layers.Dense(1)(layers.Add()([table(first), table(second)]))
    return keras.Model({"user": first, "item": second}, output)


class Subclassed(keras.Model):
    """Tables in a private attribute, a list, a dict and a sub-model."""

    def __init__(self, rows: int = 5, **kwargs):
        super().__init__(**kwargs)
        self.rows = rows
        self._hidden = layers.Embedding(rows, 4, name="hidden_table")
        self.listed = [layers.Embedding(rows, 4, name="listed_table")]
        self.named = {
            "table": layers.Embedding(rows, 4, name="named_table"),
            "again": self._hidden,
            "dense": layers.Dense(4),
        }
        self.inner = keras.Sequential(
            [layers.Embedding(rows, 4, name="inner_table"), layers.Dense(4)]
        )
        self.output_layer = layers.Dense(1)
        self.scale = self.add_weight(shape=(), name="scale")

    def call(self, inputs):
        user, item = inputs["user"], inputs["item"]
        rows = self._hidden(user) + self.listed[0](item)
        rows += self.named["again"](item) * self.named["table"](user)
        rows += self.named["dense"](rows) + self.inner(user)
        return self.output_layer(rows) * self.scale

    def get_config(self):
        return {**super().get_config(), "rows": self.rows}


def subclassed() -> keras.Model:
    model = Subclassed()
    model(IDS)
    model.scale.assign(1.5)
    return model
