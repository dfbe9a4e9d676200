"""The policy of CIESS."""

from typing import Any

import tensorflow as tf
import tensorflow_probability as tfp
from tf_agents.policies import tf_policy
from tf_agents.trajectories import policy_step

from keras_emb.search.ciess.agent.actions import (
    actions_of_sizes,
    sizes_of_actions,
)
from keras_emb.search.ciess.agent.noise import next_noise
from keras_emb.search.ciess.agent.random_walk import random_walk, walk_table
from keras_emb.search.ciess.exploration import Exploration

__all__ = ["RandomWalkPolicy"]


class RandomWalkPolicy(tf_policy.TFPolicy):
    """Walks from the actor's proposal and takes what the critic likes best.

    Qu et al., arXiv 2304.03501, Equations 11 to 14: the actor's size plus
    noise, rounded, is where a random walk starts; of the sizes it visits,
    the start included, the one of highest value is the action. The last
    noise of each entity is the policy's state.

    Args:
        time_step_spec: Spec of what the environment returns.
        action_spec: Spec of an action, in [-1, 1].
        actor: Network that proposes.
        critic: Network that chooses.
        d_max: Full width.
        exploration: Noise and walk.
        explore: Whether there is noise.
    """

    def __init__(
        self,
        time_step_spec: Any,
        action_spec: Any,
        actor: Any,
        critic: Any,
        d_max: int,
        exploration: Exploration,
        explore: bool,
    ) -> None:
        super().__init__(
            time_step_spec,
            action_spec,
            policy_state_spec=tf.TensorSpec((), tf.float32, name="noise"),
            # It traces a function anew at each call; the session resets.
            automatic_state_reset=False,
        )
        self._actor = actor
        self._critic = critic
        self._d_max = d_max
        self._exploration = exploration
        self._explore = explore
        self._walk = walk_table(d_max, exploration.walk_distance)

    def _variables(self) -> list[Any]:
        return [*self._actor.variables, *self._critic.variables]

    def _action(self, time_step: Any, policy_state: Any, seed: Any) -> Any:
        seeds = tfp.util.SeedStream(seed, salt="random_walk_policy")
        states = time_step.observation
        action, _ = self._actor(states, time_step.step_type)
        proposed = sizes_of_actions(action[:, 0], self._d_max)
        noise = self._noise(policy_state, seeds())
        start = tf.cast(
            tf.clip_by_value(tf.round(proposed + noise), 1, self._d_max),
            tf.int32,
        )
        steps = self._exploration.walk_steps
        shape = (tf.shape(start)[0], steps)
        visited = start[:, None]
        if steps:
            uniforms = tf.random.uniform(shape, seed=seeds())
            visited = random_walk(start, self._walk, uniforms)
        best = self._best(states, visited, time_step.step_type)
        return policy_step.PolicyStep(best[:, None], noise, ())

    def _noise(self, last: Any, seed: Any) -> Any:
        if not self._explore:
            return last
        kind, scale = self._exploration.noise, self._exploration.scale
        draw = (
            tf.random.uniform(tf.shape(last), -1.0, 1.0, seed=seed)
            if kind == "uniform"
            else tf.random.normal(tf.shape(last), seed=seed)
        )
        return next_noise(kind, scale, last, draw)

    def _best(self, states: Any, visited: Any, step_type: Any) -> Any:
        """The action of highest value, shape `(batch,)`."""
        count = tf.shape(visited)[1]
        actions = actions_of_sizes(tf.cast(visited, tf.float32), self._d_max)
        values, _ = self._critic(
            (
                tf.repeat(states, count, axis=0),
                tf.reshape(actions, (-1, 1)),
            ),
            tf.repeat(step_type, count, axis=0),
        )
        chosen = tf.argmax(tf.reshape(values, tf.shape(visited)), axis=1)
        return tf.gather(actions, chosen, batch_dims=1)

    def _distribution(self, time_step: Any, policy_state: Any) -> Any:
        raise NotImplementedError(
            "A walk has no distribution in closed form; use `action`."
        )
