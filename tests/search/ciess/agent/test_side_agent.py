import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_emb.search.ciess import Td3Settings
from keras_emb.search.ciess.agent.side_agent import _transition
from tests.search.ciess.agent import numpy_networks
from tests.search.ciess.agent.make import make_side

BATCH = 64


def _batch(seed=0):
    random = np.random.default_rng(seed)
    states, next_states = random.random((2, BATCH, 3))
    actions = random.uniform(-1, 1, (BATCH, 1))
    rewards = random.normal(size=BATCH)
    return [x.astype(np.float32) for x in (states, actions, rewards)] + [
        next_states.astype(np.float32)
    ]


def _networks(side):
    agent = side.agent
    return (
        (agent._critic_network_1, agent._critic_network_2),
        agent._target_actor_network,
        (agent._target_critic_network_1, agent._target_critic_network_2),
    )


def test_critic_loss_against_the_td3_target():
    side = make_side()
    states, actions, rewards, next_states = _batch()
    critics, target_actor, target_critics = _networks(side)
    step = 2 / 127
    # The first draw after the seed is the noise on the target actions.
    tf.random.set_seed(7)
    scale = tf.fill((BATCH, 1), np.float32(2.0 * step))
    noise = tfp.distributions.Normal(tf.zeros((BATCH, 1)), scale).sample()
    noise = np.clip(noise.numpy(), -5 * step, 5 * step)
    assert 0.01 < noise.std() < 0.05
    proposed = numpy_networks.actor(target_actor, next_states) + noise
    assert (np.abs(proposed) > 1).any()
    smoothed = np.clip(proposed, -1, 1)
    target = rewards + 0.99 * np.minimum(
        *(
            numpy_networks.critic(c, next_states, smoothed)
            for c in target_critics
        )
    )
    expected = sum(
        np.mean((numpy_networks.critic(c, states, actions) - target) ** 2)
        for c in critics
    )
    tf.random.set_seed(7)
    transition = _transition(
        *map(tf.constant, (states, actions, rewards, next_states))
    )
    found = side.agent.critic_loss(
        transition.time_step,
        transition.action_step.action,
        transition.next_time_step,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_actor_loss_is_the_first_critics_value():
    side = make_side()
    states = _batch()[0]
    transition = _transition(*map(tf.constant, _batch()))
    found = side.agent.actor_loss(transition.time_step)
    actions = numpy_networks.actor(side.actor, states)
    expected = -np.mean(numpy_networks.critic(side.critic, states, actions))
    np.testing.assert_allclose(found, expected, rtol=1e-4)


def test_the_published_constants_reach_the_agent():
    """See `Td3Settings`; those in the losses are tested above."""
    td3 = Td3Settings()
    assert (td3.batch_size, td3.buffer_length) == (4096, 100)
    assert td3.hidden_units == (256, 256)
    side = make_side(hidden_units=td3.hidden_units)
    actor, critic = side._optimizers
    assert float(actor.learning_rate) == pytest.approx(1e-3)
    assert float(critic.learning_rate) == pytest.approx(3e-3)
    assert side.agent._gradient_clipping == 0.01
    assert side.agent._target_update_tau == 0.005
    assert side.agent._actor_update_period == 2
    shapes = [tuple(v.shape) for v in side.actor.trainable_variables[::2]]
    assert shapes == [(3, 256), (256, 256), (256, 1)]


def test_actor_and_targets_wait_for_the_critics():
    side = make_side()
    transition = _transition(*map(tf.constant, _batch()))

    def copy(network):
        return [v.numpy() for v in network.variables]

    critics, target_actor, target_critics = _networks(side)
    pairs = [
        (side.actor, target_actor),
        *zip(critics, target_critics, strict=True),
    ]
    actors, targets, values = [], [], []
    for _ in range(4):
        before = copy(side.actor), copy(target_critics[0]), copy(critics[0])
        old = [copy(target) for _, target in pairs]
        side.agent.train(transition)
        after = copy(side.actor), copy(target_critics[0]), copy(critics[0])
        same = [
            all(map(np.array_equal, *both))
            for both in zip(before, after, strict=True)
        ]
        for record, equal in zip((actors, targets, values), same, strict=True):
            record.append(not equal)
        if targets[-1]:
            for (network, target), start in zip(pairs, old, strict=True):
                for new, now, was in zip(
                    copy(network), copy(target), start, strict=True
                ):
                    np.testing.assert_allclose(
                        now, 0.995 * was + 0.005 * new, rtol=1e-4, atol=1e-6
                    )
    assert values == [True] * 4
    assert sum(actors) == sum(targets) == 2


def test_networks_are_those_of_the_reference():
    side = make_side(hidden_units=(256, 256))
    shapes = [(3, 256), (256,), (256, 256), (256,), (256, 1), (1,)]
    assert [tuple(v.shape) for v in side.actor.variables] == shapes
    assert [tuple(v.shape) for v in side.critic.variables] == [
        (4, 256),
        *shapes[1:],
    ]
    fresh = side.actor.copy(name="fresh")
    fresh.create_variables()
    assert np.abs(fresh.variables[4].numpy()).max() <= 3e-3
    assert np.abs(fresh.variables[0].numpy()).max() <= 1 / np.sqrt(3)


def test_the_buffer_returns_what_it_was_given_and_forgets_the_oldest():
    side = make_side(rows=5, length=3)
    for step in range(5):
        states = np.full((5, 3), step, "float32")
        marks = np.arange(5, dtype="float32") + 10 * step
        side.remember(states, marks[:, None], marks, states + 1)
    (states, actions, rewards, next_states), _ = side.replay.get_next(400)
    assert set(np.unique(states)) == {2, 3, 4}
    np.testing.assert_array_equal(rewards.numpy() // 10, states[:, 0])
    np.testing.assert_array_equal(actions[:, 0], rewards)
    np.testing.assert_array_equal(next_states, states + 1)
    assert len(np.unique(rewards)) == 15


def test_a_restored_agent_goes_on_alike():
    states, actions, rewards, next_states = _batch()
    first = make_side(rows=BATCH)

    def advance(side, number):
        tf.random.set_seed(number)
        side.remember(states, actions, rewards, next_states)
        return side.train()

    for number in range(3):
        advance(first, number)
    second = make_side(rows=BATCH)
    second.restore(first.state())
    for number in range(3, 6):
        assert advance(first, number) == advance(second, number)
    for name, value in first.state().items():
        np.testing.assert_array_equal(value, second.state()[name], name)
