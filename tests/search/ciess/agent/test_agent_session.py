import numpy as np
import pytest
import tensorflow as tf
from tf_agents.trajectories import time_step as ts

from keras_emb.search.ciess import Exploration, Td3Settings
from keras_emb.search.ciess.agent.agent_session import AgentSession
from keras_emb.search.ciess.size_problem import SizeProblem
from tests.search.ciess.toys import StepEvaluator, popularity

ROWS = {"user": 150}
D_MAX = 32
EPISODES, ITERATIONS = 4, 5


class Search:
    """A session and its problem in one process."""

    def __init__(self, rows=ROWS, policies=None, updates=1, seed=0, toy=0):
        counts = popularity(rows, toy)
        self.evaluator = StepEvaluator(counts, D_MAX)
        self.problem = SizeProblem(counts, self.evaluator, D_MAX)
        self.problem.value_full_size()
        self.tried = []
        self.session = AgentSession(
            self.ask,
            rows,
            D_MAX,
            EPISODES,
            ITERATIONS,
            Exploration(noise_scale=3.0),
            Td3Settings(
                hidden_units=(32, 32),
                batch_size=256,
                actor_learning_rate=3e-3,
                critic_learning_rate=1e-2,
                policy_delay=1,
                discount=0.5,
                updates_per_iteration=updates,
            ),
            seed,
            policies,
        )

    def ask(self, question, *arguments):
        if question == "reset":
            return self.problem.reset()
        states, rewards, candidate = self.problem.step(arguments[0], 0)
        self.tried.append(candidate)
        return states, rewards

    def error(self, candidate):
        """Mean distance to the best sizes."""
        return np.mean(
            np.concatenate(
                [
                    np.abs(candidate.sizes[side] - need)
                    for side, need in self.evaluator.needs.items()
                ]
            )
        )


@pytest.fixture(scope="module")
def learned():
    search = Search(updates=8)
    for step in range(EPISODES * ITERATIONS):
        search.session.iterate(step)
    return search


def test_the_agent_finds_the_best_sizes(learned):
    needs = np.concatenate(list(learned.evaluator.needs.values()))
    constant = np.abs(needs - np.median(needs)).mean()
    errors = [learned.error(candidate) for candidate in learned.tried]
    assert errors[0] > 5
    # These carry the noise of exploration.
    assert np.mean(errors[-3:]) < 0.5 * constant


@pytest.mark.parametrize(("rows", "toy"), [(ROWS, 0), ({"user": 40}, 5)])
def test_saved_policies_find_the_best_sizes(learned, tmp_path, rows, toy):
    """Without noise, on the same entities and on another data set."""
    session = learned.session
    session.save_policies(session.policies(), str(tmp_path))
    other = Search(rows, str(tmp_path), toy=toy)
    for step in range(5):
        assert other.session.iterate(step) == {}
    # Of 32 coordinates; the best constant is 6 away.
    assert other.error(other.tried[-1]) < 2
    before, after = session.policies(), other.session.policies()
    for name in before:
        np.testing.assert_array_equal(before[name], after[name])
    # TensorFlow alone can load them, for any number of entities.
    policy = tf.saved_model.load(str(tmp_path / "user"))
    for rows in (1, 9):
        step = policy.action(
            ts.restart(tf.ones((rows, 3)), batch_size=rows),
            policy.get_initial_state(rows),
        )
        assert step.action.shape == (rows, 1)


def test_a_restored_session_goes_on_alike():
    rows = {"user": 20, "item": 30}
    first = Search(rows)
    for step in range(3):
        first.session.iterate(step)
    # In mid-episode: the environment has a state as well.
    second = Search(rows)
    second.session.restore(first.session.state())
    for step in range(3, 7):
        assert first.session.iterate(step) == second.session.iterate(step)
    for left, right in zip(first.tried[3:], second.tried, strict=True):
        assert left.digest == right.digest
