"""State, quality ratio and reward of an entity, as pure functions."""

import numpy as np

__all__ = ["entity_states", "popularity_feature", "quality_ratio", "reward"]


def popularity_feature(counts: np.ndarray) -> np.ndarray:
    """Popularity within its own side, from 0 to 1.

    Qu et al., "Continuous Input Embedding Size Search for Recommender
    Systems", arXiv 2304.03501, first entry of Equation 6.

    >>> import numpy as np
    >>> popularity_feature(np.array([1, 3, 5])).tolist()
    [0.0, 0.5, 1.0]

    Args:
        counts: Training interactions of each entity, shape `(rows,)`.

    Returns:
        `(f - min) / (max - min)`; zeros when all counts are equal.
    """
    counts = np.asarray(counts, np.float64)
    spread = counts.max() - counts.min()
    return (counts - counts.min()) / (spread or 1.0)


def quality_ratio(quality: np.ndarray, full_quality: np.ndarray) -> np.ndarray:
    """Quality against that of the full-size model, at most 1.

    arXiv 2304.03501, Equation 7. Where the full-size model has no quality
    at all, nothing can be lost: the ratio is 1.

    >>> import numpy as np
    >>> quality_ratio(np.array([0.1, 0.3]), np.array([0.2, 0.2])).tolist()
    [0.5, 1.0]

    Args:
        quality: Quality of each entity, shape `(rows,)`.
        full_quality: The same by the full-size model.

    Returns:
        Numbers in [0, 1], shape `(rows,)`.
    """
    quality = np.asarray(quality, np.float64)
    full_quality = np.asarray(full_quality, np.float64)
    # A denominator below this is a quality of zero.
    ratio = quality / np.maximum(full_quality, 1e-5)
    return np.where(quality >= full_quality, 1.0, np.minimum(ratio, 1.0))


def entity_states(
    popularity: np.ndarray, sizes: np.ndarray, d_max: int, quality: np.ndarray
) -> np.ndarray:
    """What the agent sees of each entity.

    arXiv 2304.03501, Equation 6: popularity, size and quality.

    >>> import numpy as np
    >>> entity_states(np.ones(1), np.array([4]), 8, np.ones(1)).tolist()
    [[1.0, 0.5, 1.0]]

    Args:
        popularity: What `popularity_feature` returns, shape `(rows,)`.
        sizes: Integers in `1 .. d_max`, shape `(rows,)`.
        d_max: Full width.
        quality: Quality of each entity in [0, 1], shape `(rows,)`.

    Returns:
        float32 array of shape `(rows, 3)`.
    """
    columns = (popularity, np.asarray(sizes) / d_max, quality)
    return np.stack(columns, axis=1).astype(np.float32)


def reward(
    quality: np.ndarray, sizes: np.ndarray, d_max: int, memory_weight: float
) -> np.ndarray:
    """Quality less the square of the size.

    arXiv 2304.03501, Equation 10: `q - lambda (d / d_max)^2`; the square
    pays much for the first reductions and little for the last.

    >>> import numpy as np
    >>> reward(np.ones(2), np.array([8, 4]), 8, 0.4).tolist()
    [0.6, 0.9]

    Args:
        quality: Quality of each entity, shape `(rows,)`.
        sizes: Integers in `1 .. d_max`, shape `(rows,)`.
        d_max: Full width.
        memory_weight: The paper's lambda.

    Returns:
        Numbers of shape `(rows,)`.
    """
    share = np.asarray(sizes, np.float64) / d_max
    return np.asarray(quality, np.float64) - memory_weight * share**2
