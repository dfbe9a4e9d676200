"""A vocabulary that takes in new ids while a stream runs."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.vocabulary import Vocabulary

__all__ = ["GrowingVocabulary"]


class GrowingVocabulary:
    """Gives every new id the next free row of a table of fixed capacity.

    A table made with `capacity` rows serves ids that nobody knew when it was
    made: nothing is rebuilt or retrained when they come. Row 0 stands for
    ids that have no row.

    Example:

    >>> vocabulary = GrowingVocabulary(capacity=4)
    >>> vocabulary.add([50, 7, 50])
    array([1, 2, 1], dtype=int32)
    >>> vocabulary.add([181, 7])
    array([3, 2], dtype=int32)
    >>> vocabulary.rows([7, 999])
    array([2, 0], dtype=int32)

    Args:
        capacity: Rows of the table, row 0 included.
        overflow: What `add` does with new ids when no row is free: `"error"`
            refuses all of them, `"unknown"` gives them row 0.

    Raises:
        ValueError: If `capacity` leaves no row for an id, or `overflow` is
            unknown.
    """

    def __init__(
        self, capacity: int, overflow: Literal["error", "unknown"] = "error"
    ) -> None:
        if capacity < 2:
            raise ValueError(
                "`capacity` must be at least 2: row 0 stands for unknown "
                f"ids. Received: capacity={capacity}"
            )
        if overflow not in ("error", "unknown"):
            raise ValueError(
                "`overflow` must be 'error' or 'unknown'. "
                f"Received: overflow={overflow!r}"
            )
        self.capacity = int(capacity)
        self.overflow = overflow
        self._rows: dict[Any, int] = {}

    @classmethod
    def from_vocabulary(
        cls,
        vocabulary: Vocabulary,
        capacity: int,
        overflow: Literal["error", "unknown"] = "error",
    ) -> GrowingVocabulary:
        """Goes on from a vocabulary; every id keeps its row.

        Args:
            vocabulary: The ids known so far.
            capacity: Rows of the table, row 0 included.
            overflow: See the class.

        Raises:
            ValueError: If the vocabulary has more rows than that.
        """
        if capacity < len(vocabulary):
            raise ValueError(
                "`capacity` must be at least the rows of `vocabulary` "
                f"({len(vocabulary)}). Received: capacity={capacity}"
            )
        growing = cls(capacity, overflow)
        growing.add(vocabulary.raw_ids)
        return growing

    def __len__(self) -> int:
        return len(self._rows) + 1

    def add(self, raw: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Maps raw ids to rows; ids not seen before get one.

        Args:
            raw: Integers or strings of shape `(n,)`; new ones take rows in
                the order in which they come.

        Returns:
            Rows of shape `(n,)`, int32.

        Raises:
            ValueError: If the ids are of another type than those known, or
                `overflow="error"` and too few rows are free; no id has been
                added then.
        """
        ids = self._checked(raw)
        unique, first, inverse = np.unique(
            ids, return_index=True, return_inverse=True
        )
        keys = unique.tolist()
        new = [k for k in np.argsort(first) if keys[k] not in self._rows]
        free = self.capacity - len(self)
        if len(new) > free and self.overflow == "error":
            raise ValueError(
                f"`raw` must bring at most {free} new ids, as many as there "
                f"are free rows of {self.capacity}; make the table larger or "
                "choose overflow='unknown'. "
                f"Received: {len(new)} new ids"
            )
        for key in new[:free]:
            self._rows[keys[key]] = len(self)
        return self._lookup(keys)[inverse.reshape(ids.shape)]

    def rows(self, raw: npt.ArrayLike) -> npt.NDArray[np.int32]:
        """Maps raw ids to rows and adds none.

        Args:
            raw: Integers or strings of any shape.

        Returns:
            Rows of the same shape, int32; 0 for ids that have none.
        """
        ids = self._checked(raw)
        unique, inverse = np.unique(ids, return_inverse=True)
        return self._lookup(unique.tolist())[inverse.reshape(ids.shape)]

    def vocabulary(self) -> Vocabulary:
        """The ids known now, to save or to serve with.

        Raises:
            ValueError: If there is none yet.
        """
        return Vocabulary(np.array(list(self._rows)))

    def _lookup(self, keys: list[Any]) -> npt.NDArray[np.int32]:
        return np.array([self._rows.get(key, 0) for key in keys], np.int32)

    def _checked(self, raw: npt.ArrayLike) -> npt.NDArray[Any]:
        ids = np.asarray(raw)
        known = next(iter(self._rows), None)
        kinds = "iuU" if known is None else "U" * isinstance(known, str)
        if ids.size and ids.dtype.kind not in (kinds or "iu"):
            raise ValueError(
                "`raw` must hold integers or strings, of one type for a "
                f"vocabulary. Received: raw of dtype {ids.dtype}"
            )
        return ids
