"""Between sizes and the actions TF-Agents works with."""

from typing import Any

__all__ = ["actions_of_sizes", "sizes_of_actions"]


def actions_of_sizes(sizes: Any, d_max: float) -> Any:
    """Sizes in `1 .. d_max` as actions in [-1, 1].

    >>> actions_of_sizes(128, 128)
    1.0

    Args:
        sizes: Numbers, an array or a float tensor.
        d_max: Full width.

    Returns:
        Actions of the same shape.
    """
    return (sizes - 1) / (d_max - 1) * 2 - 1


def sizes_of_actions(actions: Any, d_max: float) -> Any:
    """Actions in [-1, 1] as sizes in [1, d_max], not rounded.

    >>> sizes_of_actions(-1.0, 128)
    1.0

    Args:
        actions: Numbers, an array or a tensor.
        d_max: Full width.

    Returns:
        Sizes of the same shape.
    """
    return (actions + 1) / 2 * (d_max - 1) + 1
