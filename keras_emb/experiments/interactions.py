"""The data of an experiment."""

import inspect

from keras_emb.datasets import Interactions, load, load_implicit
from keras_emb.experiments.configs import IMPLICIT_SPLIT, DatasetConfig

__all__ = ["load_interactions"]


def load_interactions(
    dataset: DatasetConfig, data_dir: str | None = None
) -> Interactions:
    """Loads and splits the data of an experiment.

    Args:
        dataset: Which ratings, and how they are split.
        data_dir: Where the files are, see `keras_emb.datasets.load`.

    Returns:
        The interactions.

    Raises:
        ValueError: As `load` does, and for options it does not know.
    """
    options = dict(dataset.options)
    own = sorted(options.keys() & {"name", "split", "data_dir", "seed"})
    if own:
        raise ValueError(
            "`dataset.options` must not hold what stands beside it, or "
            f"`data_dir`. Received: {', '.join(own)}"
        )
    if dataset.shares is not None:
        options["shares"] = dataset.shares
    if dataset.split == IMPLICIT_SPLIT:
        known = [*inspect.signature(load_implicit).parameters]
        unknown = sorted(set(options) - set(known))
        if unknown:
            raise ValueError(
                f"Options of split {IMPLICIT_SPLIT!r} must be among "
                f"{', '.join(known[2:])}. Received: {', '.join(unknown)}"
            )
        return load_implicit(
            dataset.name, data_dir=data_dir, seed=dataset.seed, **options
        )
    return load(
        dataset.name,
        split=dataset.split,
        data_dir=data_dir,
        seed=dataset.seed,
        **options,
    )
