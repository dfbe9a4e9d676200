import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import SoftSelection
from tests.testing import run_layer_test

_RANDOM = np.random.default_rng(0)
CANDIDATES = _RANDOM.normal(size=(5, 3, 4)).astype("float32")
WEIGHTS = _RANDOM.dirichlet(np.ones(3), 5).astype("float32")
MIXED = np.einsum("bn,bnd->bd", WEIGHTS, CANDIDATES)
HEAVIEST = CANDIDATES[np.arange(5), WEIGHTS.argmax(1)]


@pytest.mark.parametrize("mode", ["soft", "hard"])
def test_layer(mode):
    run_layer_test(
        lambda **kwargs: SoftSelection(mode, **kwargs),
        CANDIDATES,
        WEIGHTS,
        expected_shape=(5, 4),
    )


@pytest.mark.parametrize(
    ("mode", "expected"), [("soft", MIXED), ("hard", HEAVIEST)]
)
def test_against_numpy(mode, expected):
    found = SoftSelection(mode)(CANDIDATES, WEIGHTS)
    np.testing.assert_allclose(found, expected, atol=1e-6)


def test_hard_is_the_candidate_to_the_bit():
    found = SoftSelection("hard")(CANDIDATES, WEIGHTS)
    np.testing.assert_array_equal(found, HEAVIEST)


def gradients(mode):
    candidates, weights = tf.constant(CANDIDATES), tf.constant(WEIGHTS)
    with tf.GradientTape() as tape:
        tape.watch([candidates, weights])
        output = SoftSelection(mode)(candidates, weights)
        # A linear loss: the gradient does not depend on the output itself.
        loss = tf.reduce_sum(output * tf.constant(MIXED))
    return tape.gradient(loss, [candidates, weights])


def test_hard_selection_lets_the_gradient_of_the_weights_through():
    _, soft = gradients("soft")
    candidates, hard = gradients("hard")
    expected = np.einsum("bnd,bd->bn", CANDIDATES, MIXED)
    np.testing.assert_allclose(soft, expected, atol=1e-5)
    np.testing.assert_allclose(hard, expected, atol=1e-5)
    one_hot = np.eye(3)[WEIGHTS.argmax(1)]
    np.testing.assert_allclose(
        candidates, one_hot[:, :, None] * MIXED[:, None], atol=1e-6
    )


def test_refuses_other_modes():
    with pytest.raises(ValueError, match="'soft' or 'hard'.*'best'"):
        SoftSelection("best")
