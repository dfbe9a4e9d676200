"""Agents to test."""

import numpy as np
import tf_keras
from tf_agents.specs import tensor_spec

from keras_emb.search.ciess import Exploration, Td3Settings
from keras_emb.search.ciess.agent.side_agent import SideAgent
from keras_emb.search.ciess.agent.size_environment import SizeEnvironment

__all__ = ["Fixed", "make_side", "randomize"]


class Fixed:
    """A recommender that answers with what it was asked."""

    def __init__(self, rows, d_max):
        self.rows, self.d_max = rows, d_max
        self.asked = []

    def reset(self):
        return np.ones((self.rows, 3), np.float32)

    def step(self, sizes):
        self.asked.append(sizes)
        share = (sizes / self.d_max).astype(np.float32)
        return np.stack([share] * 3, axis=1), 1 - share


def make_side(rows=7, d_max=128, length=4, exploration=None, **td3):
    """A side's agent with small networks of random weights."""
    tf_keras.utils.set_random_seed(0)
    environment = SizeEnvironment(Fixed(rows, d_max), rows, d_max, 3)
    side = SideAgent(
        rows,
        tensor_spec.from_spec(environment.time_step_spec()),
        tensor_spec.from_spec(environment.action_spec()),
        d_max,
        exploration or Exploration(),
        Td3Settings(**{"hidden_units": (8, 8), "batch_size": 16, **td3}),
        length,
    )
    randomize(side.agent.variables[1:], 0)
    return side


def randomize(variables, seed):
    """Gives float variables values of the order of 1."""
    random = np.random.default_rng(seed)
    for variable in variables:
        if variable.dtype.is_floating:
            variable.assign(random.normal(size=variable.shape))
