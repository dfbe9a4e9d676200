"""Random walks over sizes, all entities at once."""

import dataclasses
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["WalkTable", "random_walk", "walk_table"]


@dataclasses.dataclass(frozen=True, eq=False)
class WalkTable:
    """Where a walk may go from each size.

    Args:
        offsets: Steps, int32 of shape `(2 * distance,)`.
        cumulative: Probability of each step and all before it, by size less
            one, float64 of shape `(d_max, 2 * distance)`.
    """

    offsets: np.ndarray
    cumulative: np.ndarray


def walk_table(d_max: int, distance: int) -> WalkTable:
    """Steps to the sizes within a distance, the near ones likelier.

    Qu et al., arXiv 2304.03501, Equations 12 and 13: from `d` to every
    other size `d'` with `|d - d'| <= distance`, with probability
    proportional to `1 / |d - d'|`.

    >>> table = walk_table(d_max=3, distance=2)
    >>> table.offsets.tolist()
    [-2, -1, 1, 2]
    >>> table.cumulative[1].tolist()
    [0.0, 0.5, 1.0, 1.0]

    Args:
        d_max: Greatest size, at least 2.
        distance: Longest step.

    Returns:
        The table.
    """
    offsets = np.array([s for s in range(-distance, distance + 1) if s])
    reached = np.arange(1, d_max + 1)[:, None] + offsets
    inside = (reached >= 1) & (reached <= d_max)
    cumulative = np.cumsum(inside / np.abs(offsets), axis=1)
    # The last possible step ends at exactly 1, above every draw.
    cumulative /= cumulative[:, -1:]
    return WalkTable(offsets.astype(np.int32), cumulative)


def random_walk(start: Any, table: WalkTable, uniforms: Any) -> Any:
    """Walks from every start.

    >>> import tensorflow as tf
    >>> table = walk_table(d_max=3, distance=2)
    >>> random_walk(tf.constant([2]), table, tf.constant([[0.4]])).numpy()
    array([[2, 1]], dtype=int32)

    Args:
        start: int32 tensor of shape `(batch,)`, each in `1 .. d_max`.
        table: What `walk_table` returns.
        uniforms: Draws from [0, 1), float32 of shape `(batch, steps)`.

    Returns:
        Sizes visited, the start included, shape `(batch, steps + 1)`.
    """
    offsets = tf.constant(table.offsets)
    # Steps first: sums over the first axis are several times faster.
    cumulative = tf.constant(table.cumulative.T, tf.float32)
    visited = [start]
    for draw in tf.unstack(uniforms, axis=1):
        passed = tf.gather(cumulative, visited[-1] - 1, axis=1) <= draw
        step = tf.reduce_sum(tf.cast(passed, tf.int32), axis=0)
        visited.append(visited[-1] + tf.gather(offsets, step))
    return tf.stack(visited, axis=1)
