"""The result of a search: what is kept of every table."""

import dataclasses
import json
import os
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal

import numpy as np

from keras_emb.compression.budget import Budget
from keras_emb.compression.table_sizes import TableSizes
from keras_emb.layers.row_index import pack_bits, unpack_bits

__all__ = ["SizeAssignment"]

_FORMAT = 1
_KIND = "keras_emb.SizeAssignment"


@dataclasses.dataclass(frozen=True)
class SizeAssignment:
    """Sizes of the rows of every table, and where they came from.

    Every search returns one, and training at fixed sizes, compaction and
    reports read it.

    >>> assignment = SizeAssignment.from_sizes({"user": [0, 4, 2]}, 4)
    >>> assignment.num_parameters, assignment.sparsity
    (6, 0.5)

    Args:
        tables: `TableSizes` by table name.
        origin: What made the assignment: anything JSON can hold.

    Raises:
        ValueError: If there is no table, or `origin` is not JSON.
    """

    tables: Mapping[str, TableSizes]
    origin: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        if not self.tables:
            raise ValueError(
                "`tables` must hold at least one table. "
                f"Received: tables={self.tables}"
            )
        for name, table in self.tables.items():
            if not isinstance(name, str) or not isinstance(table, TableSizes):
                raise ValueError(
                    "`tables` must map names to TableSizes. "
                    f"Received: {name!r}: {type(table).__name__}"
                )
        try:
            json.dumps(self.origin)
        except (TypeError, ValueError) as error:
            raise ValueError(
                "`origin` must hold plain values only. "
                f"Received: origin={self.origin}"
            ) from error
        object.__setattr__(self, "tables", MappingProxyType(dict(self.tables)))

    @classmethod
    def uniform(
        cls, tables: Mapping[str, tuple[int, int]], size: int
    ) -> "SizeAssignment":
        """The same size for every row.

        Args:
            tables: `(rows, output_dim)` by table name.
            size: Size of every row, cut to the width of narrower tables.

        Returns:
            The assignment.
        """
        return cls(
            {
                name: TableSizes(dim, sizes=np.full(rows, min(size, dim)))
                for name, (rows, dim) in tables.items()
            },
            {"method": "uniform", "size": int(size)},
        )

    @classmethod
    def from_sizes(
        cls,
        sizes: Mapping[str, Any],
        output_dims: Mapping[str, int] | int,
        origin: dict[str, Any] | None = None,
    ) -> "SizeAssignment":
        """Row prefixes.

        Args:
            sizes: Integers of shape `(rows,)` by table name.
            output_dims: Full width, one for all or by table name.
            origin: What made the assignment.

        Returns:
            The assignment.
        """
        return cls(
            {
                name: TableSizes(
                    output_dims[name]
                    if isinstance(output_dims, Mapping)
                    else output_dims,
                    sizes=rows,
                )
                for name, rows in sizes.items()
            },
            origin,
        )

    @classmethod
    def from_masks(
        cls,
        masks: Mapping[str, Any],
        origin: dict[str, Any] | None = None,
    ) -> "SizeAssignment":
        """Any entries.

        Args:
            masks: Booleans of shape `(rows, output_dim)` by table name.
            origin: What made the assignment.

        Returns:
            The assignment.
        """
        return cls(
            {
                name: TableSizes(np.shape(mask)[-1], mask=mask)
                for name, mask in masks.items()
            },
            origin,
        )

    def with_origin(self, origin: dict[str, Any]) -> "SizeAssignment":
        """The same sizes, said to come from `origin`."""
        return dataclasses.replace(self, origin=origin)

    @property
    def structure(self) -> Literal["prefix", "mask"]:
        """`"prefix"` when every table is one, else `"mask"`."""
        prefixes = all(t.structure == "prefix" for t in self.tables.values())
        return "prefix" if prefixes else "mask"

    @property
    def num_parameters(self) -> int:
        """Number of entries kept."""
        return sum(table.num_parameters for table in self.tables.values())

    @property
    def dense_parameters(self) -> int:
        """Number of entries of the full tables."""
        return sum(table.dense_parameters for table in self.tables.values())

    @property
    def kept_share(self) -> float:
        """Share of the entries kept."""
        return self.num_parameters / self.dense_parameters

    @property
    def sparsity(self) -> float:
        """Share of the entries cut."""
        return 1.0 - self.kept_share

    @property
    def index_bytes(self) -> int:
        """Bytes needed to find the values, rows in the order they have."""
        return sum(table.index_bytes for table in self.tables.values())

    def sizes(self, name: str) -> np.ndarray:
        """Entries kept of each row of a table.

        Args:
            name: The table.

        Returns:
            int32 array of shape `(rows,)`.
        """
        return self._table(name).row_sizes

    def mask(self, name: str) -> np.ndarray:
        """Entries kept of a table.

        Args:
            name: The table.

        Returns:
            Boolean array of shape `(rows, output_dim)`.
        """
        return self._table(name).row_mask

    def memory_bytes(self, precision: str = "float32") -> int:
        """Bytes of the values and of all that is needed to find them.

        Args:
            precision: Type of the stored values.

        Returns:
            What `compact` stores for the tables with `row_order="keep"`;
            with `"fold"` it is never more.
        """
        return sum(t.memory_bytes(precision) for t in self.tables.values())

    def check(self, budget: Budget | float | int) -> "SizeAssignment":
        """Makes sure that a budget is kept.

        Args:
            budget: Share of the parameters, or bytes.

        Returns:
            The assignment itself.

        Raises:
            ValueError: If the assignment costs more.
        """
        budget = Budget.of(budget)
        if budget.num_bytes is not None:
            cost = self.memory_bytes(budget.precision)
            limit, unit = budget.num_bytes, "bytes"
        else:
            cost = self.num_parameters
            limit = budget.num_parameters(self.dense_parameters)
            unit = "parameters"
        if cost > limit:
            raise ValueError(
                f"The assignment exceeds its budget of {limit} {unit}. "
                f"Received: {cost} {unit}"
            )
        return self

    def save(self, path: str | Path) -> None:
        """Writes the assignment to a `.npz` file, replaced in one stroke.

        Args:
            path: The file; its folder is made when needed.
        """
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        header = {
            "kind": _KIND,
            "format": _FORMAT,
            "origin": self.origin,
            "tables": [
                {
                    "name": name,
                    "output_dim": table.output_dim,
                    "structure": table.structure,
                }
                for name, table in self.tables.items()
            ],
        }
        arrays: dict[str, Any] = {
            f"table_{number}": pack_bits(table.row_mask)
            if table.structure == "mask"
            else table.row_sizes
            for number, table in enumerate(self.tables.values())
        }
        arrays["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with open(temporary, "wb") as file:
                np.savez_compressed(file, **arrays)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> "SizeAssignment":
        """Reads what `save` wrote.

        Args:
            path: The file.

        Returns:
            The assignment.

        Raises:
            FileNotFoundError: If there is no such file.
            ValueError: If the file is damaged, foreign, or of a newer
                version.
        """
        header, arrays = _read(path)
        if header.get("kind") != _KIND:
            raise ValueError(
                "`path` must be a file written by SizeAssignment.save. "
                f"Received: path={path}"
            )
        version = header.get("format")
        if not isinstance(version, int) or version > _FORMAT:
            raise ValueError(
                f"`path` must be of format {_FORMAT} or older; a newer "
                f"keras_emb wrote this file. Received: path={path} of "
                f"format {version}"
            )
        try:
            tables = {
                entry["name"]: _read_table(entry, arrays[f"table_{number}"])
                for number, entry in enumerate(header["tables"])
            }
            return cls(tables, header["origin"])
        except (KeyError, TypeError, ValueError) as error:
            raise _damaged(path, error) from error

    @classmethod
    def from_preset(cls, preset: str | os.PathLike[str]) -> "SizeAssignment":
        """The sizes of a preset, without its model.

        They fit any model with tables of the same names and widths: train
        another backbone at them with `keras_emb.retrain`.

        Args:
            preset: Name of a preset of the library, or its folder.

        Returns:
            The assignment.

        Raises:
            ValueError: If there is no such preset, or it holds no sizes.
        """
        from keras_emb.zoo.presets import find_preset

        path = find_preset(preset) / "sizes.npz"
        if not path.is_file():
            raise ValueError(
                "`preset` must hold sizes. "
                f"Received: {path.parent}, without {path.name}"
            )
        return cls.load(path)

    def plot(self, popularity: Mapping[str, Any], path: str | Path) -> None:
        """Draws size against popularity, a panel for every table.

        Args:
            popularity: Counts of shape `(rows,)` by table name.
            path: Picture file; the ending decides its type.

        Raises:
            ValueError: If a table has no popularity, or of another length.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        counts = {
            name: _counts(name, table, popularity)
            for name, table in self.tables.items()
        }
        figure = Figure(figsize=(4.5 * len(counts), 3.6), layout="tight")
        FigureCanvasAgg(figure)
        panels = figure.subplots(1, len(counts), squeeze=False)[0]
        for panel, (name, seen) in zip(panels, counts.items(), strict=True):
            sizes = self.sizes(name)
            order = np.argsort(seen, kind="stable")
            bins = np.array_split(order, min(20, len(order)))
            panel.scatter(seen, sizes, s=4, alpha=0.25, linewidths=0)
            panel.plot(
                [seen[rows].mean() for rows in bins],
                [sizes[rows].mean() for rows in bins],
                color="black",
                marker="o",
                markersize=3,
                label="mean of a twentieth of the rows",
            )
            panel.set_xscale("symlog")
            panel.set_xlabel("times seen in training")
            panel.set_ylabel("size")
            panel.set_ylim(0, self.tables[name].output_dim * 1.15)
            panel.set_title(f"{name}: mean {sizes.mean():.1f}")
        panels[0].legend(loc="upper left", frameon=False, fontsize="small")
        path = Path(path)
        path.parent.mkdir(parents=True, exist_ok=True)
        figure.savefig(path, dpi=150)

    def _table(self, name: str) -> TableSizes:
        if name not in self.tables:
            raise ValueError(
                f"`name` must be one of {sorted(self.tables)}. "
                f"Received: name={name!r}"
            )
        return self.tables[name]


def _read(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {key: file[key] for key in file.files}
        header = json.loads(arrays.pop("header").tobytes().decode())
    except FileNotFoundError:
        raise
    except (
        AttributeError,
        EOFError,
        KeyError,
        NotImplementedError,
        OSError,
        TypeError,
        ValueError,
        zipfile.BadZipFile,
        zlib.error,
    ) as error:
        raise _damaged(path, error) from error
    return header if isinstance(header, dict) else {}, arrays


def _damaged(path: str | Path, error: Exception) -> ValueError:
    return ValueError(
        "`path` must be an undamaged file written by SizeAssignment.save. "
        f"Received: path={path} ({error})"
    )


def _read_table(entry: dict[str, Any], array: np.ndarray) -> TableSizes:
    output_dim = entry["output_dim"]
    if entry["structure"] == "prefix":
        return TableSizes(output_dim, sizes=array)
    if array.ndim != 2 or array.shape[1] != -(-output_dim // 8):
        raise ValueError(f"mask of shape {array.shape}")
    return TableSizes(output_dim, mask=unpack_bits(array, output_dim))


def _counts(
    name: str, table: TableSizes, popularity: Mapping[str, Any]
) -> np.ndarray:
    counts = np.asarray(popularity.get(name, ()))
    if counts.shape != (table.rows,):
        raise ValueError(
            "`popularity` must hold a count for each row of every table. "
            f"Received: shape {counts.shape} for table {name!r} of "
            f"{table.rows} rows"
        )
    return counts
