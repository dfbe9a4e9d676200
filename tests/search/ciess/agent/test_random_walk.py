import numpy as np
import pytest
import tensorflow as tf

from keras_emb.search.ciess.agent.random_walk import random_walk, walk_table


def _probabilities(d_max, distance):
    """Equation 13, one size after the other."""
    table = np.zeros((d_max + 1, d_max + 1))
    for d in range(1, d_max + 1):
        others = [
            o for o in range(1, d_max + 1) if o != d and abs(o - d) <= distance
        ]
        total = sum(1 / abs(o - d) for o in others)
        for o in others:
            table[d, o] = 1 / abs(o - d) / total
    return table


@pytest.mark.parametrize(
    ("d_max", "distance"), [(128, 5), (2, 1), (3, 5), (9, 2)]
)
def test_step_probabilities_against_the_equation(d_max, distance):
    table = walk_table(d_max, distance)
    expected = _probabilities(d_max, distance)
    single = np.diff(table.cumulative, axis=1, prepend=0)
    for d in range(1, d_max + 1):
        found = np.zeros(d_max + 1)
        for offset, share in zip(table.offsets, single[d - 1], strict=True):
            if share:
                found[d + offset] = share
        np.testing.assert_allclose(found, expected[d], atol=1e-6)


def test_a_walk_follows_its_draws():
    d_max, distance = 12, 5
    table = walk_table(d_max, distance)
    random = np.random.default_rng(0)
    start = random.integers(1, d_max + 1, 500).astype(np.int32)
    uniforms = random.random((500, 5)).astype(np.float32)
    found = random_walk(
        tf.constant(start), table, tf.constant(uniforms)
    ).numpy()
    assert found.shape == (500, 6)
    probabilities = _probabilities(d_max, distance)
    for row in range(500):
        here = start[row]
        assert found[row, 0] == here
        for step in range(5):
            ends = np.cumsum(probabilities[here])
            # Draws within a rounding of an end may fall to either side.
            if np.abs(ends - uniforms[row, step]).min() < 1e-5:
                break
            here = np.searchsorted(ends, uniforms[row, step], side="right")
            assert found[row, step + 1] == here


def test_steps_are_as_frequent_as_they_are_probable():
    count = 200_000
    table = walk_table(128, 5)
    uniforms = tf.random.stateless_uniform((count, 1), (1, 2))
    for size in (1, 3, 64, 128):
        walked = random_walk(tf.fill((count,), size), table, uniforms)
        found = np.bincount(walked[:, 1].numpy(), minlength=129) / count
        expected = _probabilities(128, 5)[size]
        np.testing.assert_allclose(found, expected, atol=5e-3)


def test_the_largest_draw_stays_inside():
    table = walk_table(128, 5)
    sizes = tf.range(1, 129)
    for draw in (0.0, np.nextafter(np.float32(1), np.float32(0))):
        walked = random_walk(sizes, table, tf.fill((128, 5), draw)).numpy()
        assert walked.min() >= 1 and walked.max() <= 128
        assert (np.diff(walked, axis=1) != 0).all()
