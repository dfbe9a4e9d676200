"""What backbones of many fields share."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import keras

from keras_emb.layers import (
    DenseEmbedding,
    FieldOffsets,
    FieldPooling,
    IntoDense,
)
from keras_emb.zoo.backbones.backbone import Backbone

__all__ = ["SHARED_TABLE", "FieldBackbone"]

# Name of the one table of all fields.
SHARED_TABLE = "fields"


class FieldBackbone(Backbone):
    """A functional model over any number of fields.

    Either every field has a table of its own, called as the field is, or one
    table, `fields`, holds the rows of all, one field after the other: a
    single lookup a step, but its rows cannot be renumbered field by field.

    A subclass gets the vectors of the fields and the linear term from
    `embed`, and passes its logit on.

    Args:
        tables: Table layers by field, or the one of all fields.
        fields: Rows of each field.
        multi_valued: How many values an example has at most, by field; the
            field's vector is their mean.
        numeric: Fields whose vectors are multiplied by the input
            `<field>_value`.

    Raises:
        ValueError: If tables and fields do not fit.
    """

    def embed(
        self,
        tables: Mapping[str, Any],
        fields: Mapping[str, int],
        multi_valued: Mapping[str, int],
        numeric: Sequence[str],
    ) -> tuple[dict[str, Any], Any, Any]:
        """Inputs, field vectors and linear term of the functional graph.

        Returns:
            Inputs by name; vectors of shape `(batch, fields, dim)`; the sum
            of the fields' first-order weights, shape `(batch, 1)`.
        """
        _check(tables, fields, multi_valued, numeric)
        inputs = {
            name: keras.Input(
                (multi_valued[name],) if name in multi_valued else (),
                dtype="int32",
                name=name,
            )
            for name in fields
        }
        values = {
            name: keras.Input((), dtype="float32", name=f"{name}_value")
            for name in numeric
        }
        linear_tables = {
            name: DenseEmbedding(
                table.vocabulary_size,
                1,
                embeddings_initializer="zeros",
                name=f"{name}_linear",
            )
            for name, table in tables.items()
        }
        places = {name: multi_valued.get(name, 1) for name in fields}
        offsets = FieldOffsets(fields, name="offsets")

        def vectors(tables: Mapping[str, Any], name: str) -> Any:
            if set(tables) == {SHARED_TABLE}:
                rows = tables[SHARED_TABLE](offsets(inputs))
            else:
                rows = keras.layers.Concatenate(axis=1, name=f"{name}_rows")(
                    [
                        tables[field](
                            keras.layers.Reshape((count,))(inputs[field])
                        )
                        for field, count in places.items()
                    ]
                )
            if not multi_valued and not numeric:
                return rows
            several = {n: inputs[n] for n in fields if places[n] > 1}
            return FieldPooling(places, name=f"{name}_pooling")(
                rows, several, values
            )

        linear = keras.layers.GlobalAveragePooling1D(name="linear_mean")(
            vectors(linear_tables, "linear")
        )
        linear = keras.layers.Rescaling(len(fields), name="linear")(linear)
        inputs |= {f"{name}_value": tensor for name, tensor in values.items()}
        return inputs, vectors(tables, "fields"), linear

    def keep_fields(
        self,
        fields: Mapping[str, int],
        multi_valued: Mapping[str, int],
        numeric: Sequence[str],
    ) -> None:
        """Remembers what the graph was built of."""
        self.fields = dict(fields)
        self.multi_valued = dict(multi_valued)
        self.numeric = list(numeric)

    @property
    def table_features(self) -> dict[str, Any]:  # type: ignore[override]
        """The field of each table, or all fields of the one table."""
        if set(self.tables) == {SHARED_TABLE}:
            return {SHARED_TABLE: tuple(self.fields)}
        return {name: name for name in self.tables}

    @classmethod
    def from_sizes(
        cls,
        *,
        fields: Mapping[str, int],
        embedding_dim: int,
        shared: bool = False,
        **kwargs: Any,
    ) -> Self:
        """A model with dense tables.

        Args:
            fields: Rows of each field.
            embedding_dim: Width of all tables.
            shared: Whether one table holds the rows of all fields.
            **kwargs: Further arguments of the constructor.
        """
        sizes = {SHARED_TABLE: sum(fields.values())} if shared else fields
        tables = {
            name: DenseEmbedding(rows, embedding_dim, name=f"{name}_table")
            for name, rows in sizes.items()
        }
        return cls(tables, fields, **kwargs)

    def into_first_layer(self) -> list[IntoDense]:
        """Where each field's vector enters the layer `hidden_0`."""
        first = self.get_layer("hidden_0")
        width = next(iter(self.tables.values())).output_dim
        return [
            IntoDense(
                field if field in self.tables else SHARED_TABLE,
                first,
                position * width,
            )
            for position, field in enumerate(self.fields)
        ]

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "fields": dict(self.fields),
            "multi_valued": dict(self.multi_valued),
            "numeric": list(self.numeric),
        }


def _check(
    tables: Mapping[str, Any],
    fields: Mapping[str, int],
    multi_valued: Mapping[str, int],
    numeric: Sequence[str],
) -> None:
    rows = {name: table.vocabulary_size for name, table in tables.items()}
    if not fields or rows not in (
        dict(fields),
        {SHARED_TABLE: sum(fields.values())},
    ):
        raise ValueError(
            "`tables` must be one a field, of as many rows as `fields` says, "
            f"or one named {SHARED_TABLE!r} with the rows of all. Received: "
            f"tables of {rows} rows, fields={dict(fields)}"
        )
    widths = {name: table.output_dim for name, table in tables.items()}
    if len(set(widths.values())) != 1:
        raise ValueError(f"`tables` must be of one width. Received: {widths}")
    for name, chosen in (("multi_valued", multi_valued), ("numeric", numeric)):
        if not set(chosen) <= set(fields):
            raise ValueError(
                f"`{name}` must name fields out of {list(fields)}. "
                f"Received: {name}={chosen}"
            )
