"""A Keras model trained on pairs of a positive and a negative item."""

from typing import Any

import keras
import tensorflow as tf

from keras_emb.layers.feature_frontier import feature_frontier
from keras_emb.layers.named_inputs import named_inputs
from keras_emb.training.bpr_loss import BPRLoss
from keras_emb.training.triplet_sampler import TripletSampler

__all__ = ["PairwiseModel"]


class PairwiseModel(keras.Model):
    """Trains a model of users and items to rank, on triplets it draws itself.

    Rendle et al., "BPR: Bayesian Personalized Ranking from Implicit
    Feedback", UAI 2009: in every step users are drawn, with one item they
    have and one they have not, and the first must score higher. Both items
    are scored in one call of the model, so a graph is propagated once a step.

    Data for `train_step` are the three integers that seed a step's draw, of
    shape `(1, 3)` on each replica.

    Args:
        model: A model called with inputs `user` and `item`. The squared
            lengths that its `regularized` maps these to are what `l2` weighs.
        sampler: Where triplets come from.
        batch_size: Triplets in a step, over all replicas.
        l2: Weight of `(|u|^2 + |i|^2 + |j|^2) / batch_size`.
        **kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If `l2` is asked for of a model that does not say what it
            weighs, or replicas cannot share a batch evenly.
    """

    def __init__(
        self,
        model: keras.Model,
        sampler: TripletSampler,
        batch_size: int,
        l2: float = 0.0,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        rows = getattr(model, "regularized", None) or {}
        if l2 and set(rows) != {"user", "item"}:
            raise ValueError(
                "`l2` needs a model whose `regularized` names "
                f"'user' and 'item'. Received: l2={l2}, model={model.name}"
            )
        replicas = self.distribute_strategy.num_replicas_in_sync
        if batch_size < 1 or batch_size % replicas:
            raise ValueError(
                "`batch_size` must be a positive multiple of the number of "
                f"replicas, {replicas}. Received: batch_size={batch_size}"
            )
        self.model = model
        self.sampler = sampler
        self.l2 = l2
        self._replicas = replicas
        self._count = batch_size // replicas
        graph = model if hasattr(model, "operations") else _as_graph(model)
        inputs = named_inputs(graph)
        outputs = {"score": graph.output, **(rows if l2 else {})}
        frontier = feature_frontier(keras.Model(inputs, outputs), "user")
        parts = {str(number): part for number, part in enumerate(frontier)}
        # What the model makes of a user alone is made once for both items.
        self._user_part = keras.Model(inputs["user"], parts)
        lone = {id(part) for part in frontier}
        self._pair_part = keras.Model(
            [inputs["item"], *frontier],
            {
                k: tensor
                for k, tensor in outputs.items()
                if id(tensor) not in lone
            },
        )
        self._user_squares = next(
            (k for k, part in parts.items() if part is outputs.get("user")),
            None,
        )
        self.built = True

    def compile(
        self, optimizer: Any = "adam", loss: Any = None, **kwargs: Any
    ) -> None:
        """Configures training and builds the optimizer.

        Args:
            optimizer: Optimizer of all weights.
            loss: Loss of scores `(batch, 2)`, the positive item first;
                `BPRLoss` by default.
            **kwargs: Further arguments of `keras.Model.compile`; metrics are
                given what the loss is.

        Raises:
            ValueError: If the loss is scaled on several replicas.
        """
        super().compile(optimizer=optimizer, loss=loss or BPRLoss(), **kwargs)
        scaled = isinstance(self.optimizer, keras.optimizers.LossScaleOptimizer)
        if scaled and self._replicas > 1:
            # Each would judge by its own gradients whether to take the step.
            raise ValueError(
                "PairwiseModel scales its loss for float16 on one replica "
                "only; take bfloat16 on several. "
                f"Received: {self._replicas} replicas"
            )
        # A replica cannot create variables while it is traced.
        self.optimizer.build(self.trainable_variables)
        if self._compile_metrics is not None:
            pair = tf.zeros((1, 2))
            self._compile_metrics.build(pair, pair)

    def call(self, inputs: Any, training: bool | None = None) -> Any:
        return self.model(inputs, training=training)

    def train_step(self, data: Any) -> dict[str, Any]:
        users, positives, negatives = self.sampler(data[0], self._count)
        items = tf.concat([positives, negatives], 0)
        with tf.GradientTape() as tape:
            parts = self._user_part(users, training=True)
            pairs = [items, *(tf.concat([p, p], 0) for p in parts.values())]
            outputs = self._pair_part(pairs, training=True)
            scores = tf.reshape(outputs["score"], (2, self._count))
            scores = tf.transpose(scores)
            relevance = tf.constant([[1.0, 0.0]]) * tf.ones_like(scores)
            loss = self._compute_loss(
                x=pairs,
                y=relevance,
                y_pred=scores,
                sample_weight=None,
                training=True,
            )
            self._loss_tracker.update_state(loss * self._replicas)
            if self.l2:
                loss += self.l2 * self._penalty(parts, outputs)
            loss = self.optimizer.scale_loss(loss)
        variables = self.trainable_variables
        self.optimizer.apply(tape.gradient(loss, variables), variables)
        return dict(self.compute_metrics(pairs, relevance, scores))

    def _penalty(self, parts: Any, outputs: Any) -> Any:
        # Each user stands in two pairs and counts once.
        users = (
            outputs["user"][: self._count]
            if self._user_squares is None
            else parts[self._user_squares]
        )
        squares = tf.reduce_sum(users) + tf.reduce_sum(outputs["item"])
        return tf.cast(squares, tf.float32) / (self._count * self._replicas)


def _as_graph(model: keras.Model) -> keras.Model:
    """A functional model around one whose inside cannot be seen."""
    inputs = {
        name: keras.Input((), dtype="int32", name=name)
        for name in ("user", "item")
    }
    return keras.Model(inputs, model(inputs))
