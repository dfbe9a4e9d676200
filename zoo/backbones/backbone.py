"""What every backbone of the zoo is."""

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import keras

from keras_emb.layers.object_sharing import object_sharing

__all__ = ["Backbone"]


class Backbone(keras.Model):
    """A functional Keras model over named tables.

    A subclass builds its layers and its functional graph in the constructor
    and passes both on. It never knows what kind of table it has been given:
    dense, under search, masked or compact.

    Args:
        inputs: Mapping of `keras.Input`, by feature.
        outputs: The prediction, of shape `(batch, 1)`.
        tables: Table layers by name.
        **kwargs: Arguments of `keras.Model`.

    Raises:
        ValueError: If it has no such argument.

    Attributes:
        regularized: By feature, the symbolic squared lengths, of shape
            `(batch,)`, that a penalty on a batch falls on; empty where
            nothing is said.
    """

    table_features: ClassVar[Mapping[str, str]]
    # Whether tables are all that is trained, and coordinates that are zero in
    # both might as well not be there.
    any_width: ClassVar[bool] = False

    def __init__(
        self,
        inputs: Mapping[str, Any],
        outputs: Any,
        tables: Mapping[str, Any],
        **kwargs: Any,
    ) -> None:
        # Keras would take a misspelt argument without a word.
        unknown = sorted(kwargs.keys() - {"name", "trainable", "dtype"})
        if unknown:
            raise ValueError(
                f"{type(self).__name__} has no such argument. "
                f"Received: {', '.join(unknown)}"
            )
        super().__init__(inputs=dict(inputs), outputs=outputs, **kwargs)
        self.tables = dict(tables)
        self.regularized: dict[str, Any] = {}

    @classmethod
    def check_tables(cls, tables: Mapping[str, Any]) -> None:
        """Refuses tables of other names than the backbone's."""
        if set(tables) != set(cls.table_features):
            raise ValueError(
                f"`tables` of {cls.__name__} must be named "
                f"{sorted(cls.table_features)}. "
                f"Received: tables={sorted(tables)}"
            )

    @staticmethod
    def check_equal_widths(
        tables: Mapping[str, Any], names: tuple[str, str]
    ) -> None:
        """Refuses two tables of different width."""
        widths = {name: tables[name].output_dim for name in names}
        if len(set(widths.values())) != 1:
            raise ValueError(
                "`tables` that meet in a product must be of one width. "
                f"Received: {widths}"
            )

    def score_codes(self, users: Any, items: Any) -> Any:
        """Scores of some users with all items, from what `encode` returns.

        A backbone with a method `encode` ranks whole catalogues: it returns
        what can be computed of every user and of every item alone, tensors
        of shapes `(users, user_code)` and `(items, item_code)`. Where a code
        depends on its own row alone, `encode_rows(feature, rows)` returns
        the codes of some rows of `"user"` or `"item"`.

        Args:
            users: Codes of users, shape `(batch, user_code)`.
            items: Codes of all items, shape `(items, item_code)`.

        Returns:
            Tensor of shape `(batch, items)`.
        """
        return keras.ops.matmul(users, keras.ops.transpose(items))

    def usages(self) -> list[Any]:
        """How the tables are used, see `keras_emb.layers.usages`."""
        return []

    def with_tables(self, tables: Mapping[str, Any]) -> Self:
        """A copy with other tables and the same other weights.

        Args:
            tables: Table layers by name, of the widths of the old ones.
        """
        config = self.get_config()
        config["tables"] = dict(tables)
        copy = type(self)(**config)
        own = {id(table) for table in self.tables.values()}
        for old, new in zip(self.layers, copy.layers, strict=True):
            if id(old) not in own:
                new.set_weights(old.get_weights())
        return copy

    def get_config(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "tables": {
                name: keras.saving.serialize_keras_object(table)
                for name, table in self.tables.items()
            },
        }

    @classmethod
    def from_config(
        cls, config: dict[str, Any], custom_objects: Any = None
    ) -> Self:
        config = dict(config)
        with object_sharing():
            config["tables"] = {
                name: keras.saving.deserialize_keras_object(
                    table, custom_objects=custom_objects
                )
                for name, table in config["tables"].items()
            }
        return cls(**config)
