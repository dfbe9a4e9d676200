"""Experiments on streams: AutoEmb and what it is compared with."""

from keras_emb.experiments.streams.run import run_stream_experiment
from keras_emb.experiments.streams.stream_experiment_config import (
    STREAM_METHODS,
    StreamExperimentConfig,
)

__all__ = [
    "STREAM_METHODS",
    "StreamExperimentConfig",
    "run_stream_experiment",
]
