"""Deep recommender for streams of ratings."""

from collections.abc import Mapping
from typing import Any, ClassVar, Literal, Self

import keras

from keras_emb.zoo.backbones.backbone import Backbone
from keras_emb.zoo.backbones.parts import user_item_inputs, user_item_tables

__all__ = ["StreamingDLRS"]

_OUTPUTS = {"rating": None, "binary": "sigmoid", "multiclass": "softmax"}


@keras.saving.register_keras_serializable(package="keras_emb")
class StreamingDLRS(Backbone):
    """The deep-learning recommender system AutoEmb is built around.

    AutoEmb (arXiv 2002.11252), and the code of ESAPN (SIGIR 2020) for the
    widths: both sides' vectors, concatenated, batch-normalised, one hidden
    layer, batch-normalised, tanh, output.

    >>> model = StreamingDLRS.from_sizes(users=100, items=50, embedding_dim=8)
    >>> import numpy as np
    >>> ids = np.array([1, 2])
    >>> model({"user": ids, "item": ids}).shape
    TensorShape([2, 1])

    Args:
        tables: Table layers named `user` and `item`.
        task: `"binary"`: a probability, trained on squared error;
            `"multiclass"`: a probability for each class; `"rating"`: a
            number.
        num_classes: Number of classes, for `"multiclass"`.
        hidden_units: Width of the hidden layer.
        momentum: Momentum of the moving statistics.
        epsilon: Added to a variance before the root.
        **kwargs: Arguments of `keras.Model`.

    Call arguments:
        inputs: `{"user", "item"}`, integer tensors of shape `(batch,)`.

    Output shape:
        `(batch, 1)`, or `(batch, num_classes)` for `"multiclass"`.

    Raises:
        ValueError: If a table is missing or `task` is unknown.
    """

    table_features: ClassVar[Mapping[str, str]] = {
        "user": "user",
        "item": "item",
    }

    def __init__(
        self,
        tables: Mapping[str, Any],
        task: Literal["binary", "multiclass", "rating"] = "binary",
        num_classes: int = 5,
        hidden_units: int = 512,
        momentum: float = 0.9,
        epsilon: float = 1e-5,
        **kwargs: Any,
    ) -> None:
        self.check_tables(tables)
        if task not in _OUTPUTS:
            raise ValueError(
                f"`task` must be one of {', '.join(_OUTPUTS)}. "
                f"Received: task={task!r}"
            )

        def normalization(name: str) -> keras.layers.BatchNormalization:
            return keras.layers.BatchNormalization(
                momentum=momentum, epsilon=epsilon, name=name
            )

        inputs = user_item_inputs()
        rows = keras.layers.Concatenate(name="concatenate")(
            [tables[name](inputs[name]) for name in inputs]
        )
        # No bias: the normalization that follows would take it away again.
        hidden = keras.layers.Dense(
            hidden_units, use_bias=False, name="hidden_0"
        )(normalization("input_normalization")(rows))
        hidden = keras.layers.Activation("tanh", name="tanh")(
            normalization("hidden_normalization")(hidden)
        )
        output = keras.layers.Dense(
            num_classes if task == "multiclass" else 1,
            activation=_OUTPUTS[task],
            dtype="float32",
            name="output",
        )(hidden)
        super().__init__(inputs, output, tables, **kwargs)
        self.task = task
        self.num_classes = num_classes
        self.hidden_units = hidden_units
        self.momentum = momentum
        self.epsilon = epsilon

    @classmethod
    def from_sizes(
        cls, *, users: int, items: int, embedding_dim: int, **kwargs: Any
    ) -> Self:
        """A model with dense tables.

        Args:
            users: Rows of the user table.
            items: Rows of the item table.
            embedding_dim: Width of both tables.
            **kwargs: Further arguments of the constructor.
        """
        return cls(user_item_tables(users, items, embedding_dim), **kwargs)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "task": self.task,
            "num_classes": self.num_classes,
            "hidden_units": self.hidden_units,
            "momentum": self.momentum,
            "epsilon": self.epsilon,
        }
