"""Changes of basis that gather a table's energy."""

from typing import Any

import numpy as np

__all__ = [
    "balanced_rotation",
    "popularity_shares",
    "principal_rotation",
    "second_moment",
]

# Floor of a second moment's eigenvalues, relative to their mean: it keeps the
# change of basis invertible in float64 where a table has no full rank.
_RIDGE = 1e-9


def popularity_shares(counts: Any) -> np.ndarray:
    """Counts as shares of their sum.

    >>> popularity_shares([3, 1]).tolist()
    [0.75, 0.25]

    Args:
        counts: Non-negative numbers of shape `(rows,)`. Where all are zero
            every row weighs the same.

    Returns:
        float64 array of shape `(rows,)` that sums to one.
    """
    counts = np.asarray(counts, dtype="float64")
    total = counts.sum()
    if total == 0:
        return np.full(counts.shape, 1.0 / max(counts.size, 1))
    return np.asarray(counts / total)


def second_moment(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Weighted second moment `E^T D E` of a table's rows.

    Args:
        values: Array of shape `(rows, dim)`.
        weights: Weights of the rows, shape `(rows,)`.

    Returns:
        Symmetric array of shape `(dim, dim)`.
    """
    return np.asarray(values.T @ (weights[:, None] * values))


def balanced_rotation(
    left: np.ndarray, right: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The change of basis that balances two tables under a dot product.

    With second moments `C_P = L_P L_P^T` and `C_Q = L_Q L_Q^T` of the rows of
    P and Q, and `L_P^T L_Q = U S V^T`: `A = L_P^{-T} U S^{1/2}` and
    `A^{-T} = L_P U S^{-1/2} = L_Q^{-T} V S^{1/2}`. Then
    `(P A)(Q A^{-T})^T = P Q^T`, both second moments become `diag(S)`, and
    the leading d coordinates are the best predictor of rank d in the norm
    the moments are weighted by (Eckart and Young, 1936).

    >>> import numpy as np
    >>> to_left, to_right = balanced_rotation(np.eye(2), 4 * np.eye(2))
    >>> np.allclose(to_left @ to_right.T, np.eye(2))
    True

    Args:
        left: Second moment of the rows of P, shape `(dim, dim)`.
        right: Second moment of the rows of Q, shape `(dim, dim)`.

    Returns:
        `A` and `A^{-T}`, both of shape `(dim, dim)`: what the rows of P and
        those of Q are multiplied by.
    """
    root, inverse = _roots(left)
    u, s, _ = np.linalg.svd(root.T @ _roots(right)[0])
    to_left = inverse @ (u * np.sqrt(s))
    signs = _signs(to_left)
    # From the factors of the other side's A, so that A B^T is exactly one.
    return to_left * signs, root @ (u / np.sqrt(s)) * signs


def principal_rotation(moment: np.ndarray) -> np.ndarray:
    """Eigenvectors of a second moment, those of largest eigenvalue first.

    Args:
        moment: Symmetric array of shape `(dim, dim)`.

    Returns:
        Orthogonal array R of shape `(dim, dim)`; rows E become `E R`.
    """
    vectors = np.linalg.eigh(moment)[1][:, ::-1]
    return np.asarray(vectors * _signs(vectors))


def _roots(moment: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """L and `L^{-T}` with `L L^T` the moment, its eigenvalues floored."""
    values, vectors = np.linalg.eigh(moment)
    mean = np.trace(moment) / len(moment)
    floor = _RIDGE * mean if mean > 0 else 1.0
    root = np.sqrt(np.maximum(values, floor))
    return vectors * root, vectors / root


def _signs(basis: np.ndarray) -> np.ndarray:
    """Signs that make the largest entry of every column positive."""
    largest = basis[np.abs(basis).argmax(axis=0), np.arange(basis.shape[1])]
    return np.where(largest < 0, -1.0, 1.0)
