import numpy as np
import pytest

from keras_emb.search.ciess import Evaluation
from keras_emb.search.ciess.formulas import (
    entity_states,
    popularity_feature,
    quality_ratio,
    reward,
)
from keras_emb.search.ciess.size_problem import SizeProblem
from tests.search.ciess.toys import StepEvaluator, popularity


def test_popularity_lies_between_the_extremes_of_its_side():
    counts = np.array([4, 9, 1, 1, 6])
    expected = [(f - 1) / 8 for f in counts]
    np.testing.assert_allclose(popularity_feature(counts), expected)
    assert popularity_feature(np.full(3, 5)).tolist() == [0, 0, 0]


def test_quality_ratio_against_the_equation():
    random = np.random.default_rng(0)
    quality, full = random.random((2, 50)) * 0.3
    expected = [min(q / f, 1) for q, f in zip(quality, full, strict=True)]
    np.testing.assert_allclose(quality_ratio(quality, full), expected)


def test_quality_ratio_without_full_quality():
    found = quality_ratio(np.array([0, 0.2, 0]), np.array([0, 0, 1e-7]))
    assert found.tolist() == [1, 1, 0]


def test_states_against_the_equation():
    states = entity_states(
        np.array([0.0, 1.0]), np.array([128, 32]), 128, np.array([1.0, 0.5])
    )
    assert states.dtype == np.float32
    assert states.tolist() == [[0, 1, 1], [1, 0.25, 0.5]]


@pytest.mark.parametrize("weight", [0.0, 0.4, 1.2])
def test_reward_against_the_equation(weight):
    random = np.random.default_rng(0)
    sizes = random.integers(1, 129, 40)
    quality = random.random(40)
    expected = [
        q - weight * (d / 128) ** 2 for q, d in zip(quality, sizes, strict=True)
    ]
    np.testing.assert_allclose(reward(quality, sizes, 128, weight), expected)


@pytest.mark.parametrize("kind", ["ratio", "raw"])
def test_the_problem_puts_them_together(kind):
    counts = popularity({"user": 6, "item": 4})
    toy = StepEvaluator(counts, 16)
    problem = SizeProblem(counts, toy, 16, memory_weight=0.3, quality=kind)
    problem.value_full_size()
    problem.value_full_size()
    assert toy.full_calls == (kind == "ratio")
    first = problem.reset()
    assert (first[:, 1:] == 1).all()
    sizes = np.random.default_rng(1).integers(1, 17, 10)
    states, rewards, candidate = problem.step(sizes, seed=3)
    needs = np.concatenate(list(toy.needs.values()))
    quality = np.minimum(sizes / needs, 1)
    if kind == "raw":
        quality = quality * np.concatenate(list(toy.full.values()))
    np.testing.assert_allclose(states[:, 0], first[:, 0])
    np.testing.assert_allclose(states[:, 1], sizes / 16, rtol=1e-6)
    np.testing.assert_allclose(states[:, 2], quality, rtol=1e-6)
    expected = quality - 0.3 * (sizes / 16) ** 2
    np.testing.assert_allclose(rewards, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(candidate.quality, quality.mean())
    np.testing.assert_array_equal(candidate.sizes["item"], sizes[6:])
    assert toy.seeds == [3]


@pytest.mark.parametrize("quality", [np.ones(3), np.array([-1.0]), None])
def test_an_evaluator_that_values_wrongly_is_refused(quality):
    class Wrong:
        def evaluate(self, sizes, seed):
            values = {} if quality is None else {"user": quality}
            return Evaluation(values, 0.0)

    problem = SizeProblem({"user": np.ones(1)}, Wrong(), 4, quality="raw")
    with pytest.raises(ValueError, match="`quality`.*side 'user'"):
        problem.step(np.ones(1), 0)
