"""A Keras model trained on two losses by two optimizers."""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import keras
import tensorflow as tf

from keras_emb.bilevel.hypergradient import (
    first_order_hypergradient,
    unrolled_hypergradient,
)
from keras_emb.optimizers import SparseAdam, deduplicate

__all__ = ["BilevelModel"]

_ORDERS = ("first_order", "unrolled")


@keras.saving.register_keras_serializable(package="keras_emb")
class BilevelModel(keras.Model):
    """Trains outer variables on validation batches, the rest on training.

    `min over outer of L_val(inner*(outer), outer)` with `inner*` the
    minimiser of the training loss (DNIS, arXiv 2006.04466;
    AutoEmb, arXiv 2002.11252), solved by alternating steps: the
    inner variables step on a training batch, the outer variables on a
    validation batch. Validation batches are read in inference mode, so
    batch-norm statistics belong to training batches alone.

    A batch for `fit` is `({"inner": x, "outer": x_val, "outer_target":
    y_val}, y)`; for `predict` and `evaluate` plain `x` and `(x, y)`.

    >>> import keras, keras_emb
    >>> from keras_emb import layers
    >>> table = layers.DenseEmbedding(10, 4)
    >>> selection = layers.SoftDimensionSelection(2, 4)
    >>> ids = keras.Input((), dtype="int32")
    >>> selected = layers.SelectedEmbedding(table, selection, [0, 1] * 5)
    >>> model = keras.Model(ids, keras.layers.Dense(1)(selected(ids)))
    >>> bilevel = keras_emb.BilevelModel(model, outer=[selection])
    >>> bilevel.compile("adam", outer_optimizer="sgd", loss="mse")

    Args:
        model: The built Keras model to train.
        outer: Layers, or variables, of `model` whose trainable variables are
            outer. All its other trainable variables are inner.

    Raises:
        ValueError: If `model` is not built, `outer` holds no trainable
            variable of it, or leaves none to the inner problem.
    """

    def __init__(
        self,
        model: keras.Model,
        outer: Sequence[keras.layers.Layer | keras.Variable],
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if not model.built:
            raise ValueError(
                "`model` must be built before its variables can be divided. "
                f"Received: model={model}"
            )
        self.model = model
        self._outer_ids = _variable_ids(outer)
        known = {id(v) for v in model.trainable_variables}
        strange = self._outer_ids - known
        if strange or not self._outer_ids or self._outer_ids == known:
            raise ValueError(
                "`outer` must hold some, and not all, of the trainable "
                f"variables of `model`. Received: {len(self._outer_ids)} "
                f"outer variables, {len(strange)} of them not trainable "
                f"variables of the model, which has {len(known)}"
            )
        self._outer_loss_tracker = keras.metrics.Mean(name="outer_loss")
        self.built = True

    @property
    def outer_variables(self) -> list[keras.Variable]:
        """Trainable variables that step on validation batches."""
        return [
            v
            for v in self.model.trainable_variables
            if id(v) in self._outer_ids
        ]

    @property
    def inner_variables(self) -> list[keras.Variable]:
        """Trainable variables that step on training batches."""
        return [
            v
            for v in self.model.trainable_variables
            if id(v) not in self._outer_ids
        ]

    def compile(
        self,
        optimizer: Any = "rmsprop",
        outer_optimizer: Any = "sgd",
        loss: Any = None,
        metrics: Any = None,
        hypergradient: Literal["first_order", "unrolled"] = "first_order",
        inner_learning_rate: float | None = None,
        outer_first: bool = False,
        **kwargs: Any,
    ) -> None:
        """Configures both optimizers and builds them.

        Args:
            optimizer: Optimizer of the inner variables.
            outer_optimizer: Optimizer of the outer variables.
            loss: Loss of both problems.
            metrics: Metrics, computed on training batches.
            hypergradient: `"first_order"` holds the inner variables still;
                `"unrolled"` differentiates through one virtual step of
                gradient descent.
            inner_learning_rate: Size of the virtual step; the inner
                optimizer's own rate by default.
            outer_first: Whether the outer step comes before the inner one
                (AutoEmb) or after it (DNIS).
            **kwargs: Further arguments of `keras.Model.compile`.

        Raises:
            ValueError: If an argument is unknown or cannot be combined.
        """
        if hypergradient not in _ORDERS:
            raise ValueError(
                f"`hypergradient` must be one of {_ORDERS}. "
                f"Received: hypergradient={hypergradient!r}"
            )
        super().compile(
            optimizer=optimizer, loss=loss, metrics=metrics, **kwargs
        )
        self.outer_optimizer = keras.optimizers.get(outer_optimizer)
        for name in ("optimizer", "outer_optimizer"):
            if isinstance(
                getattr(self, name), keras.optimizers.LossScaleOptimizer
            ):
                raise ValueError(
                    "BilevelModel trains in float32 and bfloat16; loss "
                    "scaling for float16 is not supported. "
                    f"Received: {name}={getattr(self, name)}"
                )
        self.hypergradient = hypergradient
        self.inner_learning_rate = inner_learning_rate
        self.outer_first = outer_first
        # A replica cannot create variables while it is traced.
        self.optimizer.build(self.inner_variables)
        self.outer_optimizer.build(self.outer_variables)

    def get_compile_config(self) -> dict[str, Any]:
        if not self.compiled:
            return {}
        config = dict(super().get_compile_config())
        config.update(
            outer_optimizer=keras.saving.serialize_keras_object(
                self.outer_optimizer
            ),
            hypergradient=self.hypergradient,
            inner_learning_rate=self.inner_learning_rate,
            outer_first=self.outer_first,
        )
        return config

    def compile_from_config(self, config: dict[str, Any]) -> None:
        self.compile(**keras.saving.deserialize_keras_object(config))

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        if isinstance(inputs, Mapping) and "outer_target" in inputs:
            inputs = inputs["inner"]
        return self.model(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        if self.outer_first:
            self.outer_step(data)
            return self.inner_step(data)
        if self.hypergradient == "unrolled":
            # The virtual step starts where the real one does.
            gradients = self._outer_gradients(data)
            logs = self.inner_step(data)
        else:
            logs = self.inner_step(data)
            gradients = self._outer_gradients(data)
        self._apply_outer(gradients)
        return {**logs, "outer_loss": self._outer_loss_tracker.result()}

    def outer_step(self, data: Any) -> None:
        """One step of the outer variables on the validation batch.

        Args:
            data: A training batch, as `fit` takes it.
        """
        self._apply_outer(self._outer_gradients(data))

    def inner_step(self, data: Any) -> dict[str, Any]:
        """One step of the inner variables on the training batch.

        Args:
            data: A training batch, as `fit` takes it.

        Returns:
            Metrics so far, by name.
        """
        x, y, weight = _unpack(data)
        inner = self.inner_variables
        with tf.GradientTape() as tape:
            prediction = self.model(x["inner"], training=True)
            loss = self._loss(x["inner"], y, prediction, weight, True)
        self._loss_tracker.update_state(
            _unscaled(loss), sample_weight=_batch_size(y)
        )
        _apply(self.optimizer, tape.gradient(loss, inner), inner)
        return dict(self.compute_metrics(x, y, prediction, weight))

    def test_step(self, data: Any) -> dict[str, Any]:
        logs = dict(super().test_step(data))
        # Evaluation has no second batch to speak of.
        logs.pop(self._outer_loss_tracker.name)
        return logs

    def _outer_gradients(self, data: Any) -> list[Any]:
        x, y, weight = _unpack(data)
        tracked = []

        def validation_loss() -> Any:
            prediction = self.model(x["outer"], training=False)
            loss = self._loss(
                x["outer"], x["outer_target"], prediction, None, False
            )
            tracked.append(loss)
            return loss

        def training_loss() -> Any:
            prediction = self.model(x["inner"], training=True)
            return self._loss(x["inner"], y, prediction, weight, True)

        if self.hypergradient == "first_order":
            gradients = first_order_hypergradient(
                validation_loss, self.outer_variables
            )
        else:
            self._refuse_replicas()
            rate = self.inner_learning_rate
            gradients = unrolled_hypergradient(
                training_loss,
                validation_loss,
                self.inner_variables,
                self.outer_variables,
                self.optimizer.learning_rate if rate is None else rate,
            )
        self._outer_loss_tracker.update_state(
            _unscaled(tracked[-1]),
            sample_weight=_batch_size(x["outer_target"]),
        )
        return gradients

    def _apply_outer(self, gradients: list[Any]) -> None:
        _apply(self.outer_optimizer, gradients, self.outer_variables)

    def _loss(
        self, x: Any, y: Any, prediction: Any, weight: Any, training: bool
    ) -> Any:
        return self._compute_loss(
            x=x,
            y=y,
            y_pred=prediction,
            sample_weight=weight,
            training=training,
        )

    def _refuse_replicas(self) -> None:
        replicas = self.distribute_strategy.num_replicas_in_sync
        if replicas > 1:
            raise ValueError(
                "`hypergradient='unrolled'` runs on one replica; use "
                "'first_order' under a strategy of several. Received: "
                f"{replicas} replicas"
            )

    def get_config(self) -> dict[str, Any]:
        outer = [
            index
            for index, variable in enumerate(self.model.trainable_variables)
            if id(variable) in self._outer_ids
        ]
        return {
            "name": self.name,
            "model": keras.saving.serialize_keras_object(self.model),
            "outer": outer,
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> "BilevelModel":
        config = dict(config)
        model = keras.saving.deserialize_keras_object(
            config.pop("model"), custom_objects=custom_objects
        )
        variables = model.trainable_variables
        outer = [variables[index] for index in config.pop("outer")]
        return cls(model, outer, **config)


def _unpack(data: Any) -> tuple[Any, Any, Any]:
    x, y, weight = keras.utils.unpack_x_y_sample_weight(data)
    if not isinstance(x, Mapping) or "outer_target" not in x:
        raise ValueError(
            "A training batch must be ({'inner': x, 'outer': x_val, "
            f"'outer_target': y_val}}, y). Received: x={x}"
        )
    return x, y, weight


def _variable_ids(
    outer: Sequence[keras.layers.Layer | keras.Variable],
) -> set[int]:
    ids: set[int] = set()
    for item in outer:
        variables = (
            item.trainable_variables
            if isinstance(item, keras.layers.Layer)
            else [item]
        )
        ids.update(id(v) for v in variables)
    return ids


def _apply(
    optimizer: Any, gradients: Sequence[Any], variables: Sequence[Any]
) -> None:
    if not isinstance(optimizer, SparseAdam):
        # Keras's own optimizers square the slices of repeated ids one by one.
        gradients = [
            deduplicate(g) if isinstance(g, tf.IndexedSlices) else g
            for g in gradients
        ]
    optimizer.apply_gradients(zip(gradients, variables, strict=True))


def _batch_size(y: Any) -> Any:
    return tf.shape(keras.tree.flatten(y)[0])[0]


def _unscaled(loss: Any) -> Any:
    # Keras divides a replica's loss by the number of replicas.
    replicas = tf.distribute.get_strategy().num_replicas_in_sync
    return loss * tf.cast(replicas, loss.dtype)
