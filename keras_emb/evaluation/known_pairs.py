"""Which users met which items."""

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.examples import Examples

__all__ = ["known_pairs"]


def known_pairs(part: Examples, item_rows: int) -> npt.NDArray[np.int64]:
    """The different pairs of known users and known items.

    >>> features = {"user": [2, 1, 2, 0], "item": [3, 0, 3, 1]}
    >>> part = Examples(features, label=[1, 1, 1, 1])
    >>> known_pairs(part, item_rows=10)
    array([23])

    Args:
        part: Examples with the features `"user"` and `"item"`.
        item_rows: Rows of the items' vocabulary.

    Returns:
        `user * item_rows + item` of every pair, ascending, without rows 0.
    """
    user, item = part.features["user"], part.features["item"]
    known = (user > 0) & (item > 0)
    keys = np.sort(user[known].astype(np.int64) * item_rows + item[known])
    # np.unique hashes integers, which takes many times as long.
    return keys[np.diff(keys, prepend=0) > 0]
