import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from keras_emb.search.ciess import Exploration
from tests.search.ciess.agent import numpy_networks
from tests.search.ciess.agent.make import make_side

ROWS, D_MAX = 300, 128


def _states(seed=0):
    states = np.random.default_rng(seed).random((ROWS, 3))
    return states.astype(np.float32)


def _step(states):
    # Not the first of an episode, which would reset the policy's state.
    return ts.transition(
        tf.constant(states), tf.zeros(len(states)), tf.ones(len(states))
    )


def _sizes(action):
    return np.rint((action.numpy()[:, 0] + 1) / 2 * (D_MAX - 1) + 1)


def _proposed(side, states):
    actions = numpy_networks.actor(side.actor, states)[:, 0]
    return (actions + 1) / 2 * (D_MAX - 1) + 1


def test_without_walk_and_noise_it_is_the_actor():
    side = make_side(ROWS, exploration=Exploration(walk_steps=0))
    states = _states()
    step = side.policy.action(_step(states), tf.zeros(ROWS))
    proposed = _proposed(side, states)
    np.testing.assert_allclose(_sizes(step.action), proposed, atol=0.501)
    assert proposed.std() > 1


@pytest.mark.parametrize("kind", ["normal", "uniform", "ornstein_uhlenbeck"])
def test_noise_is_added_before_the_size_is_rounded(kind):
    side = make_side(
        ROWS, exploration=Exploration(noise=kind, walk_steps=0, noise_scale=4)
    )
    states = _states()
    last = tf.random.stateless_normal((ROWS,), (0, 1))
    step = side.collect_policy.action(_step(states), last)
    noise = step.state.numpy()
    expected = np.clip(np.rint(_proposed(side, states) + noise), 1, D_MAX)
    assert np.mean(_sizes(step.action) == expected) > 0.99
    if kind == "uniform":
        assert np.abs(noise).max() <= 4 and np.abs(noise).max() > 3.5
    if kind == "normal":
        np.testing.assert_allclose(noise.std(), 4, rtol=0.15)
    if kind == "ornstein_uhlenbeck":
        moved = noise - last.numpy() * (1 - 0.0015)
        np.testing.assert_allclose(moved.std(), 0.4, rtol=0.15)


def test_the_critic_chooses_among_the_sizes_visited(monkeypatch):
    side = make_side(ROWS)
    visited = np.random.default_rng(1).integers(1, D_MAX + 1, (ROWS, 6))
    module = "keras_emb.search.ciess.agent.random_walk_policy.random_walk"
    starts = []

    def walk(start, table, uniforms):
        starts.append(start.numpy())
        assert tuple(uniforms.shape) == (ROWS, 5)
        return tf.constant(visited, tf.int32)

    monkeypatch.setattr(module, walk)
    states = _states()
    step = side.policy.action(_step(states), tf.zeros(ROWS))
    np.testing.assert_allclose(starts[0], _proposed(side, states), atol=0.501)
    actions = (visited - 1) / (D_MAX - 1) * 2 - 1
    values = np.stack(
        [
            numpy_networks.critic(side.critic, states, actions[:, [k]])
            for k in range(6)
        ],
        axis=1,
    )
    best = visited[np.arange(ROWS), values.argmax(axis=1)]
    clear = np.diff(np.sort(values, axis=1)[:, -2:], axis=1)[:, 0] > 1e-4
    np.testing.assert_array_equal(_sizes(step.action)[clear], best[clear])
    assert clear.mean() > 0.8


def test_the_walk_stays_near_and_improves():
    side = make_side(ROWS)
    states = _states()
    tf.random.set_seed(1)
    step = side.policy.action(_step(states), tf.zeros(ROWS))
    start = np.clip(np.rint(_proposed(side, states)), 1, D_MAX)
    walked = _sizes(step.action)
    assert np.abs(walked - start).max() <= 25
    assert (walked != start).mean() > 0.3

    def value(sizes):
        actions = ((sizes - 1) / (D_MAX - 1) * 2 - 1)[:, None]
        return numpy_networks.critic(side.critic, states, actions)

    assert (value(walked) - value(start)).min() > -1e-4


def test_the_draws_follow_the_global_seed():
    side = make_side(ROWS)
    found = []
    for seed in (1, 1, 2):
        tf.random.set_seed(seed)
        step = side.collect_policy.action(_step(_states()), tf.zeros(ROWS))
        found.append(_sizes(step.action))
    np.testing.assert_array_equal(found[0], found[1])
    assert (found[0] != found[2]).mean() > 0.5
