"""What the entries of a row are worth when only leading ones can be kept."""

import numpy as np
from scipy.optimize import isotonic_regression

__all__ = ["leading_worth"]

# Rows fitted at once: few enough that lifting them costs no precision.
_ROWS = 256


def leading_worth(magnitudes: np.ndarray) -> np.ndarray:
    """Makes one threshold cut rows to prefixes of the greatest energy.

    The squares of each row are replaced by their best fit that never rises
    along the row (isotonic regression). Keeping the entries whose fit lies
    above a threshold then keeps leading entries only, and of all prefixes
    with as many entries in total those with the largest sum of squares: a
    large entry behind small ones pays for them.

    >>> import numpy as np
    >>> leading_worth(np.array([[1.0, 3.0, 0.5]])).round(2).tolist()
    [[2.24, 2.24, 0.5]]

    Args:
        magnitudes: Non-negative array of shape `(rows, dim)`.

    Returns:
        float64 array of the same shape, no row of which rises.
    """
    squares = np.square(magnitudes, dtype="float64")
    fitted = np.empty_like(squares)
    largest = squares.max(axis=1, initial=0)
    order = np.argsort(-largest)
    for first in range(0, len(order), _ROWS):
        rows = order[first : first + _ROWS]
        # Every row is lifted above all that follow, which are no larger.
        tops = 2 * largest[rows]
        lifts = (np.cumsum(tops[::-1])[::-1] - tops)[:, None]
        lifted = (squares[rows] + lifts).ravel()
        fit = isotonic_regression(lifted, increasing=False).x
        fitted[rows] = fit.reshape(len(rows), -1) - lifts
    return np.sqrt(np.maximum(fitted, 0))
