import numpy as np
from tf_agents.environments import utils
from tf_agents.trajectories import time_step as ts

from keras_emb.search.ciess.agent.size_environment import SizeEnvironment
from tests.search.ciess.agent.make import Fixed


def _environment():
    return SizeEnvironment(Fixed(5, 128), 5, d_max=128, iterations=3)


def test_tf_agents_accepts_it():
    environment = _environment()
    assert environment.batched
    utils.validate_py_environment(environment, episodes=15)


def test_actions_become_sizes_and_answers_time_steps():
    environment = _environment()
    environment.reset()
    actions = np.array([[-1], [1], [0.0], [-1 + 2 / 127], [0.999]], "float32")
    step = environment.step(actions)
    sizes = environment._recommender.asked[0]
    # Half way between 64 and 65, rounded to even.
    np.testing.assert_array_equal(sizes, [1, 128, 64, 2, 128])
    np.testing.assert_allclose(step.reward, 1 - sizes / 128, rtol=1e-6)
    np.testing.assert_allclose(step.observation[:, 1], sizes / 128, rtol=1e-6)


def test_an_episode_is_cut_and_not_over():
    environment = _environment()
    kinds = [environment.reset().step_type[0]]
    for _ in range(3):
        step = environment.step(np.zeros((5, 1), "float32"))
        kinds.append(step.step_type[0])
        assert (step.discount == 1).all()
    middle, last = ts.StepType.MID, ts.StepType.LAST
    assert kinds == [ts.StepType.FIRST, middle, middle, last]
    assert environment.step(np.zeros((5, 1), "float32")).is_first().all()


def test_its_state_can_be_restored():
    first, second = _environment(), _environment()
    first.reset()
    first.step(np.zeros((5, 1), "float32"))
    second.set_state(first.get_state())
    for action in (0.5, -0.5):
        actions = np.full((5, 1), action, "float32")
        for left, right in zip(
            first.step(actions), second.step(actions), strict=True
        ):
            np.testing.assert_array_equal(left, right)
    assert second.current_time_step().is_last().all()
