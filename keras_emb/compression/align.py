"""Turning tables into the basis in which a cut costs least."""

import collections
import dataclasses
import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import keras
import numpy as np

from keras_emb.compression.rotations import (
    balanced_rotation,
    popularity_shares,
    principal_rotation,
    second_moment,
)
from keras_emb.layers import (
    DenseEmbedding,
    DotProduct,
    IntoDense,
    SharedSpace,
    WeightedProduct,
    find_tables,
    replace_tables,
    table_counts,
    table_features,
    table_values,
)
from keras_emb.layers.rebuild import paired_layers

__all__ = ["align", "known_usages"]


def align(
    model: keras.Model,
    popularity: Mapping[str, Any],
    usages: Sequence[Any] | None = None,
) -> keras.Model:
    """Gathers the energy of a model's tables in their first coordinates.

    Many models predict exactly the same after a change of their tables'
    coordinates. This chooses, wherever the use of a table allows one, the
    basis in which cutting trailing coordinates or small entries costs least:
    the popularity-weighted principal axes, balanced against what the table is
    multiplied with. Predictions do not change.

    | usage | change | choice |
    |---|---|---|
    | `DotProduct` | `P A`, `Q A^{-T}` | `balanced_rotation` |
    | `WeightedProduct` | weights folded into one side, then as above | same |
    | `IntoDense` | `E A`, kernel rows `A^{-1} W` | balanced with `W W^T` |
    | `SharedSpace` | `E R`, R orthogonal | `principal_rotation` |
    | `SharedSpace` and `IntoDense` | `E R`, `R^T W` | `principal_rotation` |

    >>> import numpy as np
    >>> from keras_emb.zoo import MatrixFactorization
    >>> model = MatrixFactorization.from_sizes(
    ...     users=5, items=4, embedding_dim=3
    ... )
    >>> aligned = align(model, {"user": np.ones(5), "item": np.ones(4)})
    >>> ids = {"user": np.arange(4), "item": np.arange(4)}
    >>> np.allclose(model(ids), aligned(ids), atol=1e-5)
    True

    Args:
        model: A built Keras model; it stays as it is.
        popularity: Occurrences of every row in the training data, by table
            or by input feature.
        usages: How the tables are used (`keras_emb.layers.DotProduct`, ...).
            By default what `model.usages()` declares; a model that declares
            nothing comes back as a plain copy.

    Returns:
        A new model. Masks and selections on a turned table are folded into
        it: it comes back dense.

    Raises:
        ValueError: If usages contradict each other or the model, if
            popularity is missing or of the wrong shape, or if a table is not
            finite.
    """
    usages = known_usages(model, usages)
    if not usages:
        logging.getLogger(__name__).info(
            "%s declares no use of its tables that allows a change of basis; "
            "it is left as it is.",
            model.name,
        )
        return replace_tables(model, lambda name, table: table)
    usages = [_of_model(usage, model) for usage in usages]
    aligner = _Aligner(model, popularity, usages)
    for usage in usages:
        if isinstance(usage, SharedSpace):
            aligner.shared_space(usage)
        elif isinstance(usage, DotProduct | WeightedProduct):
            aligner.product(usage)
    for name in aligner.dense_alone:
        aligner.into_dense(name)
    return aligner.copy()


def known_usages(
    model: keras.Model, usages: Sequence[Any] | None = None
) -> Sequence[Any]:
    """The usages given, or those that the model declares, if it does."""
    if usages is not None:
        return usages
    return model.usages() if hasattr(model, "usages") else []


def _of_model(usage: Any, model: keras.Model) -> Any:
    """The usage with its layer looked up in the model at hand."""
    layer = getattr(usage, "layer", None)
    if layer is None or any(
        layer is own for own in model._flatten_layers(include_self=False)
    ):
        return usage
    # A search hands on copies of a model, whose layers keep their names.
    name = layer if isinstance(layer, str) else layer.name
    try:
        return dataclasses.replace(usage, layer=model.get_layer(name))
    except ValueError as error:
        raise ValueError(
            "`layer` of a usage must be a layer of the model, or its name. "
            f"Received: {name!r} in {usage}"
        ) from error


class _Aligner:
    """The tables and kernels of one model, in float64, while they turn."""

    def __init__(
        self,
        model: keras.Model,
        popularity: Mapping[str, Any],
        usages: Sequence[Any],
    ) -> None:
        self.model = model
        self.popularity = popularity
        self.layers = find_tables(model)
        owners, dense = _sort(usages)
        names = [*owners, *(name for name in dense if name not in owners)]
        self._check_names(names)
        self.dense = dense
        self.dense_alone = [name for name in dense if name not in owners]
        self.tables = {name: self._values(name) for name in names}
        self.counts = {name: self._counts(name) for name in names}
        self.kernels: dict[int, tuple[Any, np.ndarray]] = {}
        self._check_kernels(usages)

    def shared_space(self, usage: SharedSpace) -> None:
        widths = {self.tables[name].shape[1] for name in usage.tables}
        if len(widths) != 1:
            raise ValueError(
                "The tables of a SharedSpace must have the same width. "
                f"Received: usages={usage}, of widths {sorted(widths)}"
            )
        weights = popularity_shares(
            np.concatenate([self.counts[name] for name in usage.tables])
        )
        values = np.concatenate([self.tables[name] for name in usage.tables])
        rotation = principal_rotation(second_moment(values, weights))
        for name in usage.tables:
            self.tables[name] = self.tables[name] @ rotation
            self._multiply_kernels(name, rotation)

    def product(self, usage: DotProduct | WeightedProduct) -> None:
        left, right = self.tables[usage.left], self.tables[usage.right]
        if left.shape[1] != right.shape[1]:
            raise ValueError(
                "The tables of a product must have the same width. Received: "
                f"usages={usage}, of widths {left.shape[1]} and "
                f"{right.shape[1]}"
            )
        if isinstance(usage, WeightedProduct):
            weights = self._rows(usage, left.shape[1])
            left = left * weights[:, 0]
            weights[:] = 1.0
        to_left, to_right = balanced_rotation(
            self._moment(usage.left, left), self._moment(usage.right, right)
        )
        self.tables[usage.left] = left @ to_left
        self.tables[usage.right] = right @ to_right

    def into_dense(self, name: str) -> None:
        values = self.tables[name]
        width = values.shape[1]
        gram = np.zeros((width, width))
        for usage in self.dense[name]:
            rows = self._rows(usage, width)
            gram += rows @ rows.T
        to_table, to_kernel = balanced_rotation(
            self._moment(name, values), gram
        )
        self.tables[name] = values @ to_table
        self._multiply_kernels(name, to_kernel)

    def copy(self) -> keras.Model:
        """The model with the turned tables and kernels."""
        copy = replace_tables(self.model, self._make)
        tables = find_tables(copy)
        for name, values in self.tables.items():
            tables[name].embeddings.assign(values)
        closed = {id(table) for table in self.layers.values()}
        pairs = paired_layers(self.model, copy, closed)
        layers = {id(old): new for old, new in pairs}
        for layer, kernel in self.kernels.values():
            layers[id(layer)].kernel.assign(kernel)
        return copy

    def _make(self, name: str, layer: Any) -> Any:
        plain = type(layer) in (DenseEmbedding, keras.layers.Embedding)
        if plain or name not in self.tables:
            return layer
        return DenseEmbedding.from_table(layer)

    def _multiply_kernels(self, name: str, matrix: np.ndarray) -> None:
        for usage in self.dense.get(name, ()):
            rows = self._rows(usage, len(matrix))
            rows[:] = matrix.T @ rows

    def _moment(self, name: str, values: np.ndarray) -> np.ndarray:
        return second_moment(values, popularity_shares(self.counts[name]))

    def _rows(
        self, usage: IntoDense | WeightedProduct, width: int
    ) -> np.ndarray:
        """View of the rows of a kernel that a usage names."""
        kernel = self.kernels[id(usage.layer)][1]
        return kernel[usage.first_row : usage.first_row + width]

    def _values(self, name: str) -> np.ndarray:
        values = table_values(self.layers[name]).astype("float64")
        if not np.isfinite(values).all():
            raise ValueError(
                "A table must be finite to be aligned. "
                f"Received: table {name!r} with NaN or infinity"
            )
        return values

    def _counts(self, name: str) -> np.ndarray:
        key = name
        if key not in self.popularity:
            key = table_features(self.model).get(name, name)
        if isinstance(key, tuple):
            key, found = (
                name,
                table_counts(self.model, self.popularity, tables=[name])[name],
            )
        elif key in self.popularity:
            found = self.popularity[key]
        else:
            raise ValueError(
                "`popularity` must name every aligned table or its feature. "
                f"Received: popularity of {sorted(self.popularity)}, "
                f"nothing for table {name!r}"
            )
        counts = np.asarray(found, dtype="float64")
        rows = len(self.tables[name])
        valid = counts.shape == (rows,) and np.isfinite(counts).all()
        if not valid or (counts < 0).any():
            raise ValueError(
                f"`popularity` of {key!r} must be {rows} non-negative "
                f"numbers. Received: shape {counts.shape}, from "
                f"{counts.min(initial=0)} to {counts.max(initial=0)}"
            )
        return counts

    def _check_names(self, names: Iterable[str]) -> None:
        layers: dict[int, str] = {}
        for name in names:
            if name not in self.layers:
                raise ValueError(
                    "`usages` must name tables of the model. Received: "
                    f"table {name!r}, with tables {sorted(self.layers)}"
                )
            other = layers.setdefault(id(self.layers[name]), name)
            if other != name:
                raise ValueError(
                    "`usages` must name a table layer once. Received: "
                    f"{other!r} and {name!r} are one layer"
                )

    def _check_kernels(self, usages: Sequence[Any]) -> None:
        taken: dict[tuple[int, int], int] = {}
        for position, usage in enumerate(usages):
            if not isinstance(usage, IntoDense | WeightedProduct):
                continue
            kernel: Any = getattr(usage.layer, "kernel", None)
            width = self.tables[usage.tables[0]].shape[1]
            shape = () if kernel is None else tuple(kernel.shape)
            single = isinstance(usage, WeightedProduct)
            if (
                len(shape) != 2
                or usage.first_row < 0
                or usage.first_row + width > shape[0]
                or (single and shape[1] != 1)
            ):
                raise ValueError(
                    "`layer` of a usage must be a built dense layer with a "
                    f"kernel of {width} rows from `first_row` on"
                    f"{' and one unit' if single else ''}. "
                    f"Received: usages={usage}, kernel of shape {shape}"
                )
            for row in range(usage.first_row, usage.first_row + width):
                first = taken.setdefault((id(usage.layer), row), position)
                if first != position:
                    raise ValueError(
                        "Two usages must not share rows of a kernel. "
                        f"Received: {usages[first]} and {usage}"
                    )
            if id(usage.layer) not in self.kernels:
                self.kernels[id(usage.layer)] = (
                    usage.layer,
                    np.array(kernel.numpy(), dtype="float64"),
                )


def _sort(
    usages: Sequence[Any],
) -> tuple[dict[str, Any], dict[str, list[IntoDense]]]:
    """The usage that decides the basis of each table, and its dense layers."""
    owners: dict[str, Any] = {}
    dense: dict[str, list[IntoDense]] = collections.defaultdict(list)
    for usage in usages:
        if isinstance(usage, IntoDense):
            dense[usage.table].append(usage)
            continue
        if not isinstance(usage, DotProduct | WeightedProduct | SharedSpace):
            raise ValueError(
                "`usages` must be DotProduct, WeightedProduct, SharedSpace "
                f"or IntoDense. Received: {usage}"
            )
        for name in usage.tables:
            if name in owners:
                raise ValueError(
                    "A table must stand in one product or shared space "
                    f"only. Received: table {name!r} in {owners[name]} and "
                    f"{usage}"
                )
            owners[name] = usage
    for name in dense:
        if isinstance(owners.get(name), DotProduct | WeightedProduct):
            raise ValueError(
                "A table of a product must not also go into a dense layer: "
                "no change of basis serves both. "
                f"Received: table {name!r} in {owners[name]} and "
                f"{dense[name][0]}"
            )
    return owners, dict(dense)
