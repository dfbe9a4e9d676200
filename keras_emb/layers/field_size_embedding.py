"""A table of one size a field, while the size is searched."""

from typing import Any

import keras

from keras_emb.layers.gumbel_selection import GumbelSelection
from keras_emb.layers.multi_size_embedding import MultiSizeEmbedding

__all__ = ["FieldSizeEmbedding"]


@keras.saving.register_keras_serializable(package="keras_emb")
class FieldSizeEmbedding(keras.layers.Layer):
    """Candidates of several widths for the ids of one field.

    AutoDim (WWW 2021). All fields share one `GumbelSelection`; sharing
    survives saving.

    >>> import numpy as np
    >>> table = FieldSizeEmbedding(
    ...     MultiSizeEmbedding(9, [2, 8], activation=None),
    ...     GumbelSelection(num_fields=1, num_sizes=2),
    ...     field=0,
    ... )
    >>> table(np.array([1, 2])).shape
    TensorShape([2, 8])

    Args:
        candidates: The field's candidates.
        selection: What mixes them.
        field: The field's place in the selection.
        **kwargs: Arguments of `keras.layers.Layer`.

    Call arguments:
        ids: Integer tensor of shape `(...)`.
        training: See `GumbelSelection` and `MultiSizeEmbedding`.

    Output shape:
        `(..., output_dim)`.

    Raises:
        ValueError: If there are other numbers of candidates, or no such
            field.
    """

    def __init__(
        self,
        candidates: MultiSizeEmbedding,
        selection: GumbelSelection,
        field: int,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if (
            candidates.num_sizes != selection.num_sizes
            or not 0 <= field < selection.num_fields
        ):
            raise ValueError(
                "`selection` must have as many sizes as `candidates`, and the "
                f"`field`. Received: {selection.num_sizes} sizes of "
                f"{selection.num_fields} fields, {candidates.num_sizes} "
                f"candidates, field={field}"
            )
        self.candidates = candidates
        self.selection = selection
        self.field = int(field)
        self.built = True

    @property
    def vocabulary_size(self) -> int:
        """Number of rows."""
        return self.candidates.vocabulary_size

    @property
    def output_dim(self) -> int:
        """Common width of the candidates."""
        return self.candidates.output_dim

    def build(self, input_shape: Any = None) -> None:
        self.built = True

    def call(self, ids: Any, training: bool | None = None) -> Any:
        return self.selection(
            self.candidates(ids, training=training),
            field=self.field,
            training=training,
        )

    def compute_output_shape(self, input_shape: Any) -> tuple[Any, ...]:
        return (*input_shape, self.output_dim)

    def compute_output_spec(
        self, ids: Any, training: bool | None = None
    ) -> keras.KerasTensor:
        return keras.KerasTensor(
            self.compute_output_shape(ids.shape), dtype=self.compute_dtype
        )

    def get_config(self) -> dict[str, Any]:
        selection = keras.saving.serialize_keras_object(self.selection)
        # Keras copies nested configurations before it finds an object
        # again, so each of them names the shared object here.
        selection["shared_object_id"] = id(self.selection)
        return {
            **super().get_config(),
            "candidates": keras.saving.serialize_keras_object(self.candidates),
            "selection": selection,
            "field": self.field,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> "FieldSizeEmbedding":
        config = dict(config)
        for key in ("candidates", "selection"):
            config[key] = keras.saving.deserialize_keras_object(config[key])
        return cls(**config)
