"""One search, seen from the agents' side."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_agents.policies import policy_saver
from tf_agents.specs import tensor_spec
from tf_agents.trajectories import time_step as ts

from keras_emb.search.ciess.agent.side_agent import SideAgent
from keras_emb.search.ciess.agent.size_environment import SizeEnvironment
from keras_emb.search.ciess.exploration import Exploration
from keras_emb.search.ciess.td3_settings import Td3Settings

__all__ = ["AgentSession"]


class AgentSession:
    """The environment and an agent for every side.

    Args:
        ask: Puts a question to the recommender's side.
        rows: Number of entities by side.
        d_max: Full width.
        episodes: Number of episodes.
        iterations: Length of an episode.
        exploration: Noise and walk.
        td3: Constants of TD3.
        seed: Seed of every random choice.
        policies: Folder of saved policies to apply instead of learning.
    """

    def __init__(
        self,
        ask: Callable[..., Any],
        rows: Mapping[str, int],
        d_max: int,
        episodes: int,
        iterations: int,
        exploration: Exploration,
        td3: Td3Settings,
        seed: int,
        policies: str | None,
    ) -> None:
        tf_keras.utils.set_random_seed(seed)
        self._seed = seed
        self._learn = policies is None
        self.environment = SizeEnvironment(
            _Remote(ask), sum(rows.values()), d_max, iterations
        )
        time_step_spec = tensor_spec.from_spec(
            self.environment.time_step_spec()
        )
        action_spec = tensor_spec.from_spec(self.environment.action_spec())
        # A search that applies policies remembers nothing.
        length = min(td3.buffer_length, episodes * iterations)
        self.sides = {
            side: SideAgent(
                count,
                time_step_spec,
                action_spec,
                d_max,
                exploration,
                td3,
                length if self._learn else 1,
            )
            for side, count in rows.items()
        }
        ends = np.cumsum([0, *rows.values()])
        self._slices = {
            side: slice(*ends[number : number + 2])
            for number, side in enumerate(rows)
        }
        self._policy_states: dict[str, Any] = {}
        if policies is not None:
            for side, agent in self.sides.items():
                _load_policy(agent, Path(policies) / side)

    def iterate(self, step: int) -> dict[str, dict[str, float]]:
        """Chooses sizes, has them valued, remembers and learns.

        Args:
            step: Number of the iteration in the whole search.

        Returns:
            Losses by side.
        """
        # The draws of an iteration depend on its number alone, so that a
        # resumed search goes on as if it had never stopped.
        sequence = np.random.SeedSequence([self._seed, step])
        tf.random.set_seed(int(sequence.generate_state(1)[0]))
        before = self.environment._current_time_step
        if before is None or before.is_last().all():
            before = self.environment.reset()
            self._policy_states = {
                side: self._policy(agent).get_initial_state(
                    self.environment.batch_size
                )[self._slices[side]]
                for side, agent in self.sides.items()
            }
        actions = np.concatenate(
            [
                self._act(side, _rows(before, part))
                for side, part in self._slices.items()
            ]
        )
        after = self.environment.step(actions)
        if not self._learn:
            return {}
        losses = {}
        for side, part in self._slices.items():
            self.sides[side].remember(
                before.observation[part],
                actions[part],
                after.reward[part],
                after.observation[part],
            )
            losses[side] = self.sides[side].train()
        return losses

    def state(self) -> dict[str, np.ndarray]:
        """All that the next iterations depend on, by name."""
        state = {
            f"environment/{name}": value
            for name, value in self.environment.get_state().items()
        }
        for side, agent in self.sides.items():
            state[f"{side}/noise"] = self._policy_states[side].numpy()
            for name, value in agent.state().items():
                state[f"{side}/{name}"] = value
        return state

    def restore(self, state: Mapping[str, np.ndarray]) -> None:
        """Takes over what `state` returned."""
        self.environment.set_state(_below(state, "environment"))
        for side, agent in self.sides.items():
            part = _below(state, side)
            self._policy_states[side] = tf.constant(part.pop("noise"))
            agent.restore(part)

    def policies(self) -> dict[str, np.ndarray]:
        """Weights of the policies, by name."""
        return {
            f"{side}/{number}": variable.numpy()
            for side, agent in self.sides.items()
            for number, variable in enumerate(agent.policy.variables())
        }

    def save_policies(
        self, weights: Mapping[str, np.ndarray], folder: str
    ) -> None:
        """Writes policies with `PolicySaver`, a folder for each side.

        Args:
            weights: What `policies` returned.
            folder: Where to write.
        """
        for side, agent in self.sides.items():
            part = _below(weights, side)
            for number, variable in enumerate(agent.policy.variables()):
                variable.assign(part[str(number)])
            saver = policy_saver.PolicySaver(agent.policy, batch_size=None)
            saver.save(str(Path(folder) / side))

    def _policy(self, agent: SideAgent) -> Any:
        return agent.collect_policy if self._learn else agent.policy

    def _act(self, side: str, time_step: ts.TimeStep) -> np.ndarray:
        step = self._policy(self.sides[side]).action(
            tf.nest.map_structure(tf.constant, time_step),
            self._policy_states[side],
        )
        self._policy_states[side] = step.state
        return step.action.numpy()


class _Remote:
    """The recommender, behind a pipe."""

    def __init__(self, ask: Callable[..., Any]) -> None:
        self._ask = ask

    def reset(self) -> np.ndarray:
        return self._ask("reset")

    def step(self, sizes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return self._ask("step", sizes)


def _rows(time_step: ts.TimeStep, part: slice) -> ts.TimeStep:
    return ts.TimeStep(*(field[part] for field in time_step))


def _below(state: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {
        name.removeprefix(f"{prefix}/"): value
        for name, value in state.items()
        if name.startswith(f"{prefix}/")
    }


def _load_policy(agent: SideAgent, folder: Path) -> None:
    saved = tf.saved_model.load(str(folder)).model_variables
    variables = agent.policy.variables()
    for variable, value in zip(variables, saved, strict=True):
        variable.assign(value)
