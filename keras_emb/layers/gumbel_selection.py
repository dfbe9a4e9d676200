"""One size a field, chosen by chance that fades."""

from typing import Any

import keras
from keras import ops

__all__ = ["GumbelSelection"]


@keras.saving.register_keras_serializable(package="keras_emb")
class GumbelSelection(keras.layers.Layer):
    """Mixes the candidates of each field by Gumbel-softmax.

    AutoDim (Zhao et al., "AutoDim: Field-aware Embedding Dimension Search in
    Recommender Systems", WWW 2021), Equations 4 and 5: `alpha_m =
    softmax(logits_m)` and `p_mn = softmax((log alpha_mn + g_n) / tau)` with g
    drawn from the Gumbel distribution, once a batch. What is drawn while
    training, or while `sampling` is set, is `alpha` itself otherwise.

    >>> import numpy as np
    >>> selection = GumbelSelection(num_fields=3, num_sizes=2)
    >>> candidates = np.array([[[1.0, 1.0], [3.0, 5.0]]])
    >>> selection(candidates, field=0).numpy().tolist()
    [[2.0, 3.0]]

    Args:
        num_fields: Number of fields.
        num_sizes: Candidates of each.
        seed: Seed of the noise.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        candidates: Tensor of shape `(..., num_sizes, dim)`.
        field: Which field they are of.
        training: Whether to draw.

    Output shape:
        `(..., dim)`.
    """

    def __init__(
        self,
        num_fields: int,
        num_sizes: int,
        seed: int | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.num_fields = int(num_fields)
        self.num_sizes = int(num_sizes)
        self.seed = seed
        self.sampling = False
        self.generator = keras.random.SeedGenerator(seed)
        self.logits = self.add_weight(
            shape=(self.num_fields, self.num_sizes),
            initializer="zeros",
            autocast=False,
            name="logits",
        )
        self.temperature = self.add_weight(
            shape=(),
            initializer="ones",
            trainable=False,
            autocast=False,
            name="temperature",
        )
        self.built = True

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(
        self, candidates: Any, field: int, training: bool | None = None
    ) -> Any:
        logits = ops.log_softmax(self.logits[field])
        weights = ops.exp(logits)
        if training or self.sampling:
            uniform = keras.random.uniform(
                (self.num_sizes,), 1e-7, 1.0, seed=self.generator
            )
            noise = -ops.log(-ops.log(uniform))
            weights = ops.softmax((logits + noise) / self.temperature)
        weights = ops.cast(weights, candidates.dtype)
        return ops.sum(candidates * weights[:, None], axis=-2)

    def compute_output_shape(
        self, input_shape: Any, *args: Any, **kwargs: Any
    ) -> tuple[Any, ...]:
        return (*input_shape[:-2], input_shape[-1])

    def compute_output_spec(
        self, candidates: Any, field: int, training: bool | None = None
    ) -> keras.KerasTensor:
        return keras.KerasTensor(
            self.compute_output_shape(candidates.shape),
            dtype=self.compute_dtype,
        )

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "num_fields": self.num_fields,
            "num_sizes": self.num_sizes,
            "seed": self.seed,
        }
