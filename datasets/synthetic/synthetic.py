"""Ratings with planted ranks that grow with popularity."""

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.ratings import Ratings
from keras_emb.datasets.synthetic.planted_ratings import PlantedRatings

__all__ = ["synthetic"]

_MEAN = 3.5
_BIAS_SCALE = 0.3
_SIGNAL_SCALE = 0.8
_POPULARITY_EXPONENT = 0.8
_COORDINATE_DECAY = 0.25
_NUM_DECILES = 10


def synthetic(
    num_users: int = 1500,
    num_items: int = 1000,
    num_ratings: int = 200_000,
    max_rank: int = 32,
    noise: float = 0.3,
    seed: int = 0,
) -> PlantedRatings:
    """Makes ratings for which mixed embedding sizes provably help.

    Users and items are drawn with power-law popularity. A user u or item i of
    popularity decile j has `r_j` non-zero latent coordinates, the first ones,
    of decaying scale s_k: `max_rank` in the most popular decile, half as many
    in each decile below, at least 1. The rating is

        3.5 + b_u + b_i + sum_k s_k p_uk q_ik + noise,

    neither rounded nor clipped, so that no predictor has an expected squared
    error below `noise ** 2`, and a prefix of length r_j for each id reaches it.

    >>> planted = synthetic(num_users=50, num_items=40, num_ratings=400)
    >>> len(planted.ratings), int(planted.item_ranks.max())
    (400, 32)

    Args:
        num_users: Number of users, at least 10.
        num_items: Number of items, at least 10. The draw needs memory for
            `num_users * num_items` numbers.
        num_ratings: Number of different (user, item) pairs, at most half of
            all pairs.
        max_rank: Latent coordinates of the most popular decile.
        noise: Standard deviation of the noise.
        seed: Seed.

    Returns:
        The ratings, in the order of a made-up time, with their true ranks.

    Raises:
        ValueError: For arguments out of range.
    """
    _check(num_users, num_items, num_ratings, max_rank, noise)
    rng = np.random.default_rng(seed)
    user, item = _pairs(rng, num_users, num_items, num_ratings)
    user_ranks = true_ranks(np.bincount(user, minlength=num_users), max_rank)
    item_ranks = true_ranks(np.bincount(item, minlength=num_items), max_rank)
    scale = np.arange(1, max_rank + 1) ** -_COORDINATE_DECAY
    scale *= _SIGNAL_SCALE / np.linalg.norm(scale)
    user_factors = _factors(rng, user_ranks, np.sqrt(scale))
    item_factors = _factors(rng, item_ranks, np.sqrt(scale))
    rating = (
        _MEAN
        + rng.normal(0, _BIAS_SCALE, num_users)[user]
        + rng.normal(0, _BIAS_SCALE, num_items)[item]
        + np.einsum("nk,nk->n", user_factors[user], item_factors[item])
        + rng.normal(0, noise, num_ratings)
    )
    return PlantedRatings(
        ratings=Ratings(
            user=user,
            item=item,
            rating=rating,
            time=np.arange(1, num_ratings + 1),
        ),
        user_ranks=user_ranks,
        item_ranks=item_ranks,
        optimal_mse=noise**2,
    )


def true_ranks(
    counts: npt.NDArray[np.int64], max_rank: int
) -> npt.NDArray[np.int64]:
    """Gives every id the rank of its popularity decile.

    Args:
        counts: Ratings of each id, `(n,)`.
        max_rank: Rank of the most popular decile.

    Returns:
        Ranks in `1..max_rank`, `(n,)`.
    """
    order = np.argsort(counts, kind="stable")
    decile = np.empty(len(counts), dtype=np.int64)
    decile[order] = np.arange(len(counts)) * _NUM_DECILES // len(counts)
    ranks = max_rank >> np.arange(_NUM_DECILES)[::-1]
    return np.maximum(ranks, 1)[decile]


def _check(
    num_users: int,
    num_items: int,
    num_ratings: int,
    max_rank: int,
    noise: float,
) -> None:
    rules = (
        ("num_users", num_users, num_users >= _NUM_DECILES, "at least 10"),
        ("num_items", num_items, num_items >= _NUM_DECILES, "at least 10"),
        (
            "num_ratings",
            num_ratings,
            1 <= num_ratings <= num_users * num_items // 2,
            "at least 1 and at most half of all pairs",
        ),
        ("max_rank", max_rank, max_rank >= 1, "at least 1"),
        ("noise", noise, noise >= 0, "at least 0"),
    )
    for name, value, holds, rule in rules:
        if not holds:
            raise ValueError(
                f"`{name}` must be {rule}. Received: {name}={value}"
            )


def _pairs(
    rng: np.random.Generator, num_users: int, num_items: int, num_ratings: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Draws different pairs, weighted by both popularities, in random order."""
    user_weight = rng.permutation(_power_law(num_users))
    item_weight = rng.permutation(_power_law(num_items))
    # The smallest of exponential clocks are a weighted draw without repetition.
    clocks = rng.exponential(size=(num_users, num_items))
    clocks /= np.outer(user_weight, item_weight)
    pairs = np.argpartition(clocks.ravel(), num_ratings - 1)[:num_ratings]
    user, item = np.divmod(rng.permutation(np.sort(pairs)), num_items)
    return user, item


def _power_law(size: int) -> npt.NDArray[np.float64]:
    return np.power(np.arange(1.0, size + 1), -_POPULARITY_EXPONENT)


def _factors(
    rng: np.random.Generator,
    ranks: npt.NDArray[np.int64],
    scale: npt.NDArray[np.float64],
) -> npt.NDArray[np.float64]:
    factors = rng.normal(size=(len(ranks), len(scale))) * scale
    return np.where(np.arange(len(scale)) < ranks[:, None], factors, 0)
