import numpy as np
import pytest
import tensorflow as tf

from keras_emb.search.ciess.agent.noise import next_noise
from keras_emb.search.ciess.exploration import Exploration


@pytest.mark.parametrize("kind", ["normal", "uniform"])
def test_independent_noise_is_scaled(kind):
    draw = np.linspace(-1, 1, 5, dtype=np.float32)
    found = next_noise(kind, 6.0, tf.ones(5), tf.constant(draw))
    np.testing.assert_allclose(found, 6 * draw, rtol=1e-6)


def test_ornstein_uhlenbeck_against_the_recursion():
    random = np.random.default_rng(0)
    noise, expected = tf.zeros(4), np.zeros(4)
    for _ in range(50):
        draw = random.normal(size=4)
        noise = next_noise(
            "ornstein_uhlenbeck", 40.0, noise, tf.constant(draw, tf.float32)
        )
        expected = (
            expected + 0.15 * (0 - expected) * 0.01 + 40 * 0.01**0.5 * draw
        )
    np.testing.assert_allclose(noise, expected, rtol=1e-4)


def test_scales_of_the_paper_and_its_code():
    kinds = ("normal", "uniform", "ornstein_uhlenbeck")
    assert [Exploration(noise=k).scale for k in kinds] == [6, 11, 40]
    assert Exploration(noise_scale=0).scale == 0
