"""Ratings whose true ranks are known."""

import dataclasses

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.ratings import Ratings

__all__ = ["PlantedRatings"]


@dataclasses.dataclass(frozen=True, eq=False)
class PlantedRatings:
    """Raw ratings with the structure they were made from.

    Args:
        ratings: Raw ratings; raw ids count from 0 and say nothing of
            popularity.
        user_ranks: True rank of each raw user id, `(num_users,)`.
        item_ranks: True rank of each raw item id, `(num_items,)`.
        optimal_mse: Expected squared error of the best predictor, the variance
            of the noise.
    """

    ratings: Ratings
    user_ranks: npt.NDArray[np.int64]
    item_ranks: npt.NDArray[np.int64]
    optimal_mse: float
