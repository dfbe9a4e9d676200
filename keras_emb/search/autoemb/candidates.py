"""Putting candidate sizes on a model's tables."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

import keras

from keras_emb.layers import (
    MultiSizeEmbedding,
    PopularityController,
    SizeLogits,
    SoftSizeEmbedding,
    find_tables,
    replace_tables,
    table_rows,
)

__all__ = ["add_candidates"]


def add_candidates(
    model: keras.Model,
    dims: Sequence[int],
    *,
    controller: Literal["popularity", "logits"] = "popularity",
    controller_options: Mapping[str, Any] | None = None,
    mode: Literal["soft", "hard"] = "soft",
    decay: float = 1.0,
    initializer: Callable[[], Any] | Any = "glorot_normal",
) -> keras.Model:
    """Gives every table wider than one coordinate candidates of every size.

    AutoEmb (arXiv 2002.11252). The new tables answer in the width of the old
    ones, and learn from scratch: nothing of the old values is kept.

    >>> from keras_emb.zoo import StreamingDLRS
    >>> model = StreamingDLRS.from_sizes(users=9, items=9, embedding_dim=8)
    >>> soft = add_candidates(model, dims=[2, 8])
    >>> type(soft.tables["user"]).__name__
    'SoftSizeEmbedding'

    Args:
        model: A Keras model with tables; it stays as it is.
        dims: Candidate sizes, ascending.
        controller: `"popularity"` weighs the candidates by a
            `PopularityController`, `"logits"` by free numbers of each id
            (the DARTS baseline).
        controller_options: Further arguments of `PopularityController`.
        mode: `"soft"` or `"hard"`, see `SoftSelection`.
        decay: Decay of the popularity, see `PopularityCounter`.
        initializer: Initializer of the candidates' tables.

    Returns:
        A copy of the model with `SoftSizeEmbedding` tables.

    Raises:
        ValueError: If the model has no table wider than one coordinate, or
            `controller` is unknown.
    """
    if controller not in ("popularity", "logits"):
        raise ValueError(
            "`controller` must be 'popularity' or 'logits'. "
            f"Received: controller={controller!r}"
        )
    if not any(t.output_dim > 1 for t in find_tables(model).values()):
        raise ValueError(
            "`model` must hold at least one embedding table wider than one "
            f"coordinate. Received: model={model.name}"
        )

    def make(name: str, layer: Any) -> Any:
        if layer.output_dim == 1:
            return layer
        rows = table_rows(layer)
        weigh: Any = (
            PopularityController(len(dims), **(controller_options or {}))
            if controller == "popularity"
            else SizeLogits(rows, len(dims))
        )
        candidates = MultiSizeEmbedding(
            rows,
            dims,
            layer.output_dim,
            embeddings_initializer=_own(initializer),
            name=f"{layer.name}_candidates",
        )
        return SoftSizeEmbedding(
            candidates, weigh, mode=mode, decay=decay, name=layer.name
        )

    return replace_tables(model, make)


def _own(initializer: Any) -> Any:
    # A copy draws its numbers under the seed of the moment, and no two tables
    # start from the same ones.
    found = keras.initializers.get(initializer)
    keras_own = isinstance(found, keras.initializers.Initializer)
    return found.clone() if keras_own else found
