"""Forward passes of the agents' networks in plain NumPy."""

import numpy as np

__all__ = ["actor", "critic"]


def _layers(network, values):
    weights = [v.numpy().astype(np.float64) for v in network.variables]
    for kernel, bias in zip(weights[0::2], weights[1::2], strict=True):
        hidden = values @ kernel + bias
        values = np.maximum(hidden, 0)
    return hidden


def actor(network, states):
    """Actions of shape `(batch, 1)`."""
    return np.tanh(_layers(network, states))


def critic(network, states, actions):
    """Values of shape `(batch,)`."""
    bounded = np.clip(actions, -1, 1)
    return _layers(network, np.concatenate([states, bounded], axis=1))[:, 0]
