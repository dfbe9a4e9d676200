"""Which entries of a table are stored."""

from typing import Any

import numpy as np

__all__ = ["kept_entries"]


def kept_entries(shape: tuple[int, ...], sizes: Any, mask: Any) -> np.ndarray:
    """Booleans of the entries that sizes or a mask keep.

    >>> kept_entries((2, 2), [1, 2], None).tolist()
    [[True, False], [True, True]]

    Args:
        shape: Rows and width of the table.
        sizes: How many leading entries of each row are kept, or None.
        mask: Which entries are kept, or None.

    Returns:
        Array of the shape of the table.

    Raises:
        ValueError: If not exactly one of the two is given, or it does not
            fit.
    """
    if (sizes is None) == (mask is None):
        raise ValueError(
            "Exactly one of `sizes` and `mask` must be given. Received: "
            f"{'neither' if sizes is None else 'both'}"
        )
    if len(shape) != 2:
        raise ValueError(f"`rows` must be a matrix. Received: shape {shape}")
    if sizes is None:
        kept = np.asarray(mask)
        if kept.shape != shape or not np.isin(kept, (0, 1)).all():
            raise ValueError(
                f"`mask` must be booleans of shape {shape}. Received: shape "
                f"{kept.shape}, dtype {kept.dtype}"
            )
        return kept.astype(bool)
    sizes = np.asarray(sizes)
    if sizes.shape != shape[:1] or (
        not np.isin(sizes, np.arange(shape[1] + 1)).all()
    ):
        raise ValueError(
            f"`sizes` must be {shape[0]} integers between 0 and {shape[1]}. "
            f"Received: shape {sizes.shape}, from {sizes.min(initial=0)} to "
            f"{sizes.max(initial=0)}"
        )
    return np.arange(shape[1]) < sizes[:, None]
