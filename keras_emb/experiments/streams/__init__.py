"""Experiments on streams: AutoEmb and what it is compared with."""

from keras_emb.experiments.streams.config import (
    STREAM_METHODS,
    StreamExperimentConfig,
)
from keras_emb.experiments.streams.run import run_stream_experiment

__all__ = [
    "STREAM_METHODS",
    "StreamExperimentConfig",
    "run_stream_experiment",
]
