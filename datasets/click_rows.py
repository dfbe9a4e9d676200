"""Codes of clicks made into table rows, part by part."""

from __future__ import annotations

import os
import pathlib
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.blocks import blocks
from keras_emb.datasets.clicks import Clicks
from keras_emb.datasets.column_store import ColumnStore
from keras_emb.datasets.examples import Examples
from keras_emb.datasets.splits import cut_points
from keras_emb.datasets.vocabulary import Vocabulary

__all__ = ["VALUE_SUFFIX", "click_parts", "random_parts", "rank_codes"]

# What the feature with the values of a field is called behind its name.
VALUE_SUFFIX = "_value"
_PARTS = ("train", "validation", "test")


def random_parts(
    count: int, shares: Sequence[float], seed: int
) -> npt.NDArray[np.uint8]:
    """Gives every example to a part at random, a byte each.

    >>> random_parts(10, (0.8, 0.1, 0.1), seed=0).tolist()
    [0, 0, 0, 0, 0, 0, 2, 0, 1, 0]

    Args:
        count: Number of examples.
        shares: Shares of train, validation and test; they add up to 1.
        seed: Seed of the permutation.

    Returns:
        0 for train, 1 for validation and 2 for test, `(count,)`.

    Raises:
        ValueError: For invalid shares, or too few examples for a wanted part.
    """
    cuts = cut_points(shares, count)
    sizes = np.diff([0, *cuts, count])
    for name, size, share in zip(_PARTS, sizes, shares, strict=True):
        if share > 0 and not size:
            raise ValueError(
                f"`clicks` has too few examples: the {name} part would be "
                f"empty. Received: {count} examples to split"
            )
    parts = np.repeat(np.arange(3, dtype=np.uint8), sizes)
    np.random.default_rng(seed).shuffle(parts)
    return parts


def rank_codes(
    counts: npt.NDArray[np.int64],
    raw_ids: npt.NDArray[Any],
    min_count: int = 1,
) -> tuple[npt.NDArray[np.int32], npt.NDArray[Any]]:
    """Ranks the ids of a field by their frequency in training.

    >>> rows, raw = rank_codes(np.array([1, 5, 0, 2]), np.array([9, 8, 7, 6]))
    >>> rows.tolist(), raw.tolist()
    ([3, 1, 0, 2], [8, 6, 9])

    Args:
        counts: Training examples of each code, `(codes,)`.
        raw_ids: Raw id of each code, `(codes,)`; ties go by it.
        min_count: Ids of fewer training examples share row 0.

    Returns:
        The row of each code, 0 where it is unknown, and the raw ids of the
        rows from 1 on.
    """
    order = np.lexsort((raw_ids, -counts))
    order = order[counts[order] >= min_count]
    rows = np.zeros(len(counts), np.int32)
    rows[order] = np.arange(1, len(order) + 1, dtype=np.int32)
    return rows, raw_ids[order]


def click_parts(
    clicks: Clicks,
    parts: npt.NDArray[np.uint8],
    min_count: int = 1,
    folder: str | os.PathLike[str] | None = None,
) -> tuple[list[Examples], dict[str, Vocabulary]]:
    """Maps the codes of every part to rows ranked by training frequency.

    Args:
        clicks: The examples.
        parts: The part of each, see `random_parts`.
        min_count: See `rank_codes`.
        folder: Where the parts' columns are written; in memory if `None`.

    Returns:
        Train, validation and test, and the vocabulary of each field.

    Raises:
        ValueError: If a field has no id left.
    """
    stores = [
        ColumnStore(None if folder is None else pathlib.Path(folder) / name)
        for name in _PARTS
    ]
    num_train = int(np.count_nonzero(parts == 0))
    vocabularies = {}
    for field, codes in clicks.codes.items():
        counts = np.zeros(len(clicks.raw_ids[field]) + 1, np.int64)
        for block in _chosen(codes, parts, 0):
            # Nothing known has the code -1, the last of the counts.
            counts += np.bincount(
                block.ravel() % len(counts), minlength=len(counts)
            )
        rows, raw = rank_codes(
            counts[:-1], clicks.raw_ids[field], max(min_count, 1)
        )
        if not len(raw):
            raise ValueError(
                "`min_count` must leave every field an id. Received: "
                f"min_count={min_count}, but no id of field {field!r} has as "
                f"many of the {num_train} training examples"
            )
        vocabularies[field] = Vocabulary(raw)
        rows = np.append(rows, np.int32(0))
        for part, store in enumerate(stores):
            for block in _chosen(codes, parts, part):
                store.append(field, rows[block])
    others: Mapping[str, npt.NDArray[np.float32]] = {
        "label": clicks.label,
        **{f"{f}{VALUE_SUFFIX}": v for f, v in clicks.values.items()},
    }
    for name, column in others.items():
        for part, store in enumerate(stores):
            for block in _chosen(column, parts, part):
                store.append(name, block)
    features = [*clicks.codes, *(name for name in others if name != "label")]
    return [
        Examples(
            {name: store.column(name) for name in features},
            store.column("label"),
        )
        for store in stores
    ], vocabularies


def _chosen(
    column: npt.NDArray[Any], parts: npt.NDArray[np.uint8], part: int
) -> Iterator[npt.NDArray[Any]]:
    """The rows of one part, block by block."""
    start = 0
    for block in blocks(column):
        yield block[parts[start : start + len(block)] == part]
        start += len(block)
