"""Loads implicit feedback by the name of a data set."""

import os

from keras_emb.datasets.implicit_interactions import ImplicitInteractions
from keras_emb.datasets.load import data_folder, load_ratings
from keras_emb.datasets.movielens.ncf_split import (
    find_ncf_split,
    read_ncf_split,
)

__all__ = ["load_implicit"]


def load_implicit(
    name: str,
    *,
    data_dir: str | os.PathLike[str] | None = None,
    seed: int = 0,
    min_item_ratings: int = 1,
    validation_share: float = 0.1,
    num_candidates: int = 99,
    unknown_time: str = "refuse",
) -> ImplicitInteractions:
    """Loads a data set as implicit feedback, split by leaving one out.

    Where `ncf_leave_one_out.npz`, the published test of Neural Collaborative
    Filtering, stands beside the ratings of MovieLens-1M, it says what is held
    out and ranked; elsewhere the latest item is held out and its candidates
    are drawn.

    >>> data = load_implicit("synthetic", num_candidates=20)
    >>> data.candidates["test"].others.shape[1]
    20

    Args:
        name: One of `available()`.
        data_dir: See `load`.
        seed: Seed of the split.
        min_item_ratings: Items with fewer ratings are dropped and counted.
        validation_share: See `ImplicitInteractions.leave_one_out`, as are the
            following.
        num_candidates: Items that a held-out item is ranked among.
        unknown_time: What to do with rows of unknown time.

    Returns:
        Interactions with the features `"user"` and `"item"`.

    Raises:
        ValueError: As `load` and `ImplicitInteractions.leave_one_out` do, and
            if the published test has another number of candidates.
    """
    ratings = load_ratings(
        name, data_dir=data_dir, min_item_ratings=min_item_ratings
    )
    folder = data_folder(data_dir)
    path = (
        find_ncf_split(folder, "1m")
        if name == "movielens_1m" and folder
        else None
    )
    held_out = read_ncf_split(path) if path else None
    if held_out and held_out.negatives.shape[1] != num_candidates:
        raise ValueError(
            "`num_candidates` must be that of the published test "
            f"({held_out.negatives.shape[1]}). "
            f"Received: num_candidates={num_candidates}"
        )
    return ImplicitInteractions.leave_one_out(
        ratings,
        held_out=held_out,
        validation_share=validation_share,
        num_candidates=num_candidates,
        unknown_time=unknown_time,
        seed=seed,
    )
