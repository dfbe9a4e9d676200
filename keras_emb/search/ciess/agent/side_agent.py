"""What learns the sizes of one side."""

from typing import Any

import numpy as np
import tensorflow as tf
import tf_keras
from tf_agents.agents.td3 import td3_agent
from tf_agents.replay_buffers import tf_uniform_replay_buffer
from tf_agents.trajectories import policy_step, trajectory
from tf_agents.trajectories import time_step as ts

from keras_emb.search.ciess.agent.networks import make_actor, make_critic
from keras_emb.search.ciess.agent.random_walk_policy import RandomWalkPolicy
from keras_emb.search.ciess.exploration import Exploration
from keras_emb.search.ciess.td3_settings import Td3Settings

__all__ = ["SideAgent"]


class SideAgent:
    """A `Td3Agent`, its replay buffer and its policies.

    Users and items learn apart (Qu et al., arXiv 2304.03501, Section 3.3).

    Args:
        rows: Number of entities.
        time_step_spec: Tensor spec of what the environment returns.
        action_spec: Tensor spec of an action.
        d_max: Full width.
        exploration: Noise and walk of the collect policy.
        td3: Constants of TD3.
        buffer_length: Iterations the replay buffer remembers.
    """

    def __init__(
        self,
        rows: int,
        time_step_spec: Any,
        action_spec: Any,
        d_max: int,
        exploration: Exploration,
        td3: Td3Settings,
        buffer_length: int,
    ) -> None:
        observation_spec = time_step_spec.observation

        def actor(name: str) -> Any:
            return make_actor(
                observation_spec, action_spec, td3.hidden_units, name
            )

        def critic(name: str) -> Any:
            return make_critic(
                observation_spec, action_spec, td3.hidden_units, name
            )

        self.actor, self.critic = actor("actor"), critic("critic_1")
        self._optimizers = (
            tf_keras.optimizers.Adam(td3.actor_learning_rate),
            tf_keras.optimizers.Adam(td3.critic_learning_rate),
        )
        coordinate = 2 / (d_max - 1)
        critic_2 = critic("critic_2")
        # TF-Agents' own defaults are not those of TD3: nothing is left out.
        self.agent = td3_agent.Td3Agent(
            time_step_spec,
            action_spec,
            actor_network=self.actor,
            critic_network=self.critic,
            critic_network_2=critic_2,
            target_actor_network=actor("target_actor"),
            target_critic_network=critic("target_critic_1"),
            target_critic_network_2=critic("target_critic_2"),
            actor_optimizer=self._optimizers[0],
            critic_optimizer=self._optimizers[1],
            target_update_tau=td3.tau,
            target_update_period=td3.policy_delay,
            actor_update_period=td3.policy_delay,
            td_errors_loss_fn=tf.math.squared_difference,
            gamma=td3.discount,
            target_policy_noise=td3.target_noise * coordinate,
            target_policy_noise_clip=td3.target_noise_clip * coordinate,
            gradient_clipping=td3.gradient_clipping,
            train_step_counter=tf.Variable(0, dtype=tf.int64),
        )
        self.agent.initialize()
        self._optimizers[0].build(self.actor.trainable_variables)
        self._optimizers[1].build(
            [*self.critic.trainable_variables, *critic_2.trainable_variables]
        )
        self.collect_policy, self.policy = (
            RandomWalkPolicy(
                time_step_spec,
                action_spec,
                self.actor,
                self.critic,
                d_max,
                exploration,
                explore,
            )
            for explore in (True, False)
        )
        self._td3 = td3
        # What a transition of this search does not share with all others.
        self.replay = tf_uniform_replay_buffer.TFUniformReplayBuffer(
            (
                observation_spec,
                action_spec,
                time_step_spec.reward,
                observation_spec,
            ),
            batch_size=rows,
            max_length=buffer_length,
        )

    def remember(
        self,
        states: np.ndarray,
        actions: np.ndarray,
        rewards: np.ndarray,
        next_states: np.ndarray,
    ) -> None:
        """Adds a transition of every entity to the replay buffer."""
        items = (states, actions, rewards, next_states)
        self.replay.add_batch(tuple(tf.constant(item) for item in items))

    def train(self) -> dict[str, float]:
        """Makes the updates of one iteration.

        Returns:
            Mean losses of the critics and the actor.
        """
        losses = []
        for _ in range(self._td3.updates_per_iteration):
            # Not `as_dataset`: the state of its draws cannot be saved.
            items, _ = self.replay.get_next(self._td3.batch_size)
            info = self.agent.train(_transition(*items)).extra
            losses.append((float(info.critic_loss), float(info.actor_loss)))
        critic, actor = np.mean(losses, axis=0).tolist()
        return {"critic_loss": critic, "actor_loss": actor}

    def state(self) -> dict[str, np.ndarray]:
        """All that training depends on, by name."""
        return {k: v.numpy() for k, v in self._variables().items()}

    def restore(self, state: dict[str, np.ndarray]) -> None:
        """Takes over what `state` returned."""
        for name, variable in self._variables().items():
            variable.assign(state[name])

    def _variables(self) -> dict[str, Any]:
        groups = {
            "agent": self.agent.variables,
            "actor_optimizer": self._optimizers[0].variables,
            "critic_optimizer": self._optimizers[1].variables,
            "replay": self.replay.variables(),
        }
        return {
            f"{group}/{number}": variable
            for group, variables in groups.items()
            for number, variable in enumerate(variables)
        }


def _transition(
    states: Any, actions: Any, rewards: Any, next_states: Any
) -> trajectory.Transition:
    """Transitions in the form `Td3Agent` trains on; none ends an episode."""
    middle = tf.fill(tf.shape(rewards), ts.StepType.MID)
    ones = tf.ones_like(rewards)
    return trajectory.Transition(
        ts.TimeStep(middle, tf.zeros_like(rewards), ones, states),
        policy_step.PolicyStep(actions),
        ts.TimeStep(middle, rewards, ones, next_states),
    )
