"""The data of an experiment on a stream."""

from keras_emb.datasets import InteractionStream, load_stream
from keras_emb.experiments.streams.stream_config import StreamConfig

__all__ = ["open_stream"]


def open_stream(
    config: StreamConfig, data_dir: str | None = None
) -> InteractionStream:
    """Loads and orders the data of an experiment.

    Args:
        config: Which ratings, in which order.
        data_dir: Where the files are, see `keras_emb.datasets.load`.

    Raises:
        ValueError: As `load_stream` does.
    """
    return load_stream(
        config.name,
        order=config.order,  # type: ignore[arg-type]
        data_dir=data_dir,
        seed=config.seed,
        **config.options,
    )
