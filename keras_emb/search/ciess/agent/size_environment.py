"""The search as an environment of TF-Agents."""

from typing import Any, Protocol

import numpy as np
from tf_agents.environments import py_environment
from tf_agents.specs import array_spec
from tf_agents.trajectories import time_step as ts

from keras_emb.search.ciess.agent.actions import sizes_of_actions

__all__ = ["SizeEnvironment"]


class Recommender(Protocol):
    """The recommender's side, wherever it runs."""

    def reset(self) -> np.ndarray:
        """States of an episode's start, shape `(batch, 3)`."""

    def step(self, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Next states `(batch, 3)` and rewards `(batch,)` of sizes."""


class SizeEnvironment(py_environment.PyEnvironment):
    """A batch of entities whose sizes are the actions.

    An episode (Qu et al., arXiv 2304.03501, Algorithm 1) starts with all
    entities at full size and lasts a fixed number of iterations. It is cut
    there, not over: the discount stays 1.

    Args:
        recommender: What answers sizes with states and rewards.
        batch_size: Number of entities.
        d_max: Full width; action -1 is size 1 and action 1 is `d_max`.
        iterations: Length of an episode.
    """

    def __init__(
        self,
        recommender: Recommender,
        batch_size: int,
        d_max: int,
        iterations: int,
    ) -> None:
        super().__init__(handle_auto_reset=True)
        self._recommender = recommender
        self._batch_size = batch_size
        self._d_max = d_max
        self._iterations = iterations
        self._iteration = 0

    @property
    def batched(self) -> bool:
        return True

    @property
    def batch_size(self) -> int:
        return self._batch_size

    def observation_spec(self) -> Any:
        return array_spec.BoundedArraySpec(
            (3,), np.float32, minimum=0.0, maximum=1.0, name="observation"
        )

    def action_spec(self) -> Any:
        return array_spec.BoundedArraySpec(
            (1,), np.float32, minimum=-1.0, maximum=1.0, name="action"
        )

    def _reset(self) -> Any:
        self._iteration = 0
        states = self._recommender.reset()
        return ts.restart(states, batch_size=self._batch_size)

    def _step(self, action: np.ndarray) -> Any:
        sizes = np.rint(sizes_of_actions(action[:, 0], self._d_max))
        states, rewards = self._recommender.step(
            np.clip(sizes, 1, self._d_max).astype(np.int32)
        )
        self._iteration += 1
        if self._iteration < self._iterations:
            # One discount a row: the default would be a scalar.
            return ts.transition(states, rewards, np.ones_like(rewards))
        return ts.truncation(states, rewards, np.ones_like(rewards))

    def get_state(self) -> dict[str, np.ndarray]:
        """Where the environment stands."""
        step = self.current_time_step()
        return {
            "iteration": np.array(self._iteration),
            **{k: np.array(v) for k, v in step._asdict().items()},
        }

    def set_state(self, state: dict[str, np.ndarray]) -> None:
        """Puts the environment back where `get_state` found it."""
        fields = dict(state)
        self._iteration = int(fields.pop("iteration"))
        self._current_time_step = ts.TimeStep(**fields)
