"""Raw clicks: many fields, one label."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.column_store import ColumnStore
from keras_emb.datasets.field_codes import FieldCodes

__all__ = ["Clicks"]


@dataclasses.dataclass(frozen=True, eq=False)
class Clicks:
    """Examples of many fields in compact codes, before any split.

    >>> clicks = Clicks.from_chunks(
    ...     [{"label": np.array([1, 0]), "site": np.array([70, 80])}]
    ... )
    >>> clicks.codes["site"].tolist(), clicks.raw_ids["site"].tolist()
    ([0, 1], [70, 80])

    Args:
        codes: By field, `(n,)` int32, or `(n, m)` for a field of up to m
            values; -1 where nothing is known.
        raw_ids: By field, the raw id of each code, int64 or strings.
        label: Ones for clicks and zeros for the rest, `(n,)` float32.
        values: Numbers that the vectors of a field are multiplied by, by
            field, `(n,)` float32.

    Raises:
        ValueError: If there is no field, or columns are of other lengths
            than the label.
    """

    codes: dict[str, npt.NDArray[np.int32]]
    raw_ids: dict[str, npt.NDArray[Any]]
    label: npt.NDArray[np.float32]
    values: dict[str, npt.NDArray[np.float32]] = dataclasses.field(
        default_factory=dict
    )

    def __post_init__(self) -> None:
        lengths = {
            name: len(column)
            for name, column in [*self.codes.items(), *self.values.items()]
        }
        if not self.codes or set(lengths.values()) != {len(self.label)}:
            raise ValueError(
                "`codes` must hold a field, and all columns must be as long "
                f"as `label` ({len(self.label)}). Received: {lengths}"
            )

    def __len__(self) -> int:
        return len(self.label)

    @classmethod
    def from_chunks(
        cls,
        chunks: Iterable[Mapping[str, npt.NDArray[Any]]],
        *,
        numeric: Mapping[str, str] | None = None,
        folder: str | os.PathLike[str] | None = None,
    ) -> Clicks:
        """Reads chunks in one pass, keeping no more than codes of them.

        Args:
            chunks: Mappings of `"label"` and the fields' raw ids, int64
                arrays, the same names in every chunk.
            numeric: Fields that come as values: the name of the column with
                the values by field.
            folder: Where the codes are written; in memory if `None`.

        Raises:
            ValueError: If there is no chunk.
        """
        numeric = numeric or {}
        store, codes = ColumnStore(folder), dict[str, FieldCodes]()
        for chunk in chunks:
            columns = dict(chunk)
            store.append("label", columns.pop("label").astype(np.float32))
            for field, column in numeric.items():
                values = columns.pop(column).astype(np.float32)
                store.append(f"{field}.value", values)
            for field, raw in columns.items():
                known = codes.setdefault(field, FieldCodes())
                store.append(field, known.add(raw))
        if not codes:
            raise ValueError(
                "`chunks` must hold examples of at least one field. "
                "Received: none"
            )
        return cls(
            codes={field: store.column(field) for field in codes},
            raw_ids={field: known.raw_ids for field, known in codes.items()},
            label=store.column("label"),
            values={f: store.column(f"{f}.value") for f in numeric},
        )
