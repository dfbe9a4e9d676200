"""The leave-one-out test that came with Neural Collaborative Filtering."""

from __future__ import annotations

import dataclasses
import os
import pathlib
from typing import Any

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.movielens.files import find_ratings

__all__ = ["NcfSplit", "find_ncf_split", "read_ncf_split"]

_FILE = "ncf_leave_one_out.npz"


@dataclasses.dataclass(frozen=True, eq=False)
class NcfSplit:
    """Held-out pairs and their sampled negatives, in MovieLens's own ids.

    He et al., "Neural Collaborative Filtering", WWW 2017, Section 4.1: the
    latest item of each user, to be ranked among 99 the user has not rated.

    Args:
        user: `(n,)`.
        item: The held-out item of each user, `(n,)`.
        negatives: `(n, 99)`; by an old slip, some are the held-out item.
    """

    user: npt.NDArray[Any]
    item: npt.NDArray[Any]
    negatives: npt.NDArray[Any]


def find_ncf_split(
    folder: str | os.PathLike[str], config: str
) -> pathlib.Path | None:
    """The split's file beside the ratings of a release, if it is there.

    Args:
        folder: The release's own folder, or one that holds it.
        config: As for `read_ratings`.
    """
    path = find_ratings(folder, config).with_name(_FILE)
    return path if path.is_file() else None


def read_ncf_split(path: str | os.PathLike[str]) -> NcfSplit:
    """Reads an .npz file with `test_user`, `test_item` and `test_negative`.

    Args:
        path: The file.

    Raises:
        ValueError: If the file is none such.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            user, item, negatives = (
                file[f"test_{name}"] for name in ("user", "item", "negative")
            )
    except (OSError, KeyError, ValueError) as error:
        raise ValueError(
            "`path` must be an .npz file with test_user, test_item and "
            f"test_negative. Received: {os.fspath(path)!r} ({error})"
        ) from error
    if (
        user.ndim != 1
        or item.shape != user.shape
        or negatives.ndim != 2
        or len(negatives) != len(user)
    ):
        raise ValueError(
            f"{os.fspath(path)} must hold one test_item and one line of "
            f"test_negative a user. Received: shapes {user.shape}, "
            f"{item.shape}, {negatives.shape}"
        )
    return NcfSplit(*(np.asarray(a, np.int64) for a in (user, item, negatives)))
