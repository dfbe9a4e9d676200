"""How often each row of a model's tables occurs."""

from collections.abc import Iterable, Mapping

import keras
import numpy as np

from keras_emb.layers.find_tables import find_tables, table_features

__all__ = ["table_counts"]


def table_counts(
    model: keras.Model,
    popularity: Mapping[str, np.ndarray],
    *,
    tables: Iterable[str] | None = None,
    features: Mapping[str, str | tuple[str, ...]] | None = None,
) -> dict[str, np.ndarray]:
    """Occurrences of every row in training, by table.

    A table of several fields holds their rows one field after the other.

    >>> from keras_emb.zoo import MLP
    >>> model = MLP.from_sizes(users=2, items=3, embedding_dim=4)
    >>> popularity = {"user": np.array([0, 9]), "item": np.array([1, 5, 3])}
    >>> table_counts(model, popularity)["item"]
    array([1, 5, 3])

    Args:
        model: A model with tables.
        popularity: Occurrences of every row, by input feature.
        tables: Names of the tables wanted; all by default.
        features: Input feature, or features, of each table, where they
            cannot be read off the model.

    Raises:
        ValueError: If the popularity of a table is not known.
    """
    features = features or table_features(model)
    names = list(find_tables(model) if tables is None else tables)
    sources = {name: _tuple(features.get(name)) for name in names}
    missing = [
        name
        for name, fields in sources.items()
        if not fields or not set(fields) <= set(popularity)
    ]
    if missing:
        raise ValueError(
            "`features` must name the interactions' feature of every "
            f"table. Received: no feature for {missing}; interactions "
            f"have {sorted(popularity)}"
        )
    return {
        name: np.concatenate([popularity[field] for field in fields])
        for name, fields in sources.items()
    }


def _tuple(feature: str | tuple[str, ...] | None) -> tuple[str, ...]:
    if feature is None:
        return ()
    return (feature,) if isinstance(feature, str) else tuple(feature)
