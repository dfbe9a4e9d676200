"""Whether the ciess extra is installed."""

import importlib.util

import pytest

__all__ = ["needs_agents"]

# Not by importing it: this process has Keras 3 behind `tf.keras`.
needs_agents = [
    pytest.mark.tfagents,
    pytest.mark.skipif(
        not all(map(importlib.util.find_spec, ("tf_agents", "tf_keras"))),
        reason="needs keras_emb[ciess]",
    ),
]
