"""The networks of TD3, as wide and as bounded as in CIESS."""

from collections.abc import Sequence
from typing import Any

import tensorflow as tf
from tf_agents.agents.ddpg import actor_network, critic_network

__all__ = ["BoundedCriticNetwork", "make_actor", "make_critic"]


class BoundedCriticNetwork(critic_network.CriticNetwork):
    """A critic that takes actions outside [-1, 1] for its ends.

    `Td3Agent` adds noise to target actions and leaves them where they fall;
    TD3 (arXiv 1802.09477, Algorithm 1) clips them to the actions there are.
    """

    def call(
        self,
        inputs: Any,
        step_type: Any = (),
        network_state: Any = (),
        training: bool = False,
    ) -> Any:
        observation, action = inputs
        bounded = tf.clip_by_value(action, -1.0, 1.0)
        return super().call(
            (observation, bounded), step_type, network_state, training
        )


def make_actor(
    observation_spec: Any,
    action_spec: Any,
    hidden_units: Sequence[int],
    name: str,
) -> Any:
    """Layers with ReLU, then one unit with tanh.

    Args:
        observation_spec: Spec of a state.
        action_spec: Spec of an action.
        hidden_units: Widths of the hidden layers.
        name: Name of the network.

    Returns:
        The network.
    """
    return actor_network.ActorNetwork(
        observation_spec,
        action_spec,
        fc_layer_params=tuple(hidden_units),
        name=name,
    )


def make_critic(
    observation_spec: Any,
    action_spec: Any,
    hidden_units: Sequence[int],
    name: str,
) -> Any:
    """State and action side by side, layers with ReLU, one linear unit.

    Args:
        observation_spec: Spec of a state.
        action_spec: Spec of an action.
        hidden_units: Widths of the hidden layers.
        name: Name of the network.

    Returns:
        The network.
    """
    return BoundedCriticNetwork(
        (observation_spec, action_spec),
        joint_fc_layer_params=tuple(hidden_units),
        name=name,
    )
