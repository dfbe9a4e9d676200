import random

import keras
import numpy as np
import pytest

from keras_emb.layers.seeded import seeded


def test_what_is_made_inside_follows_the_seed():
    def made(seed):
        with seeded(seed):
            return keras.initializers.RandomNormal()((3,)).numpy()

    np.testing.assert_array_equal(made(1), made(1))
    assert (made(1) != made(2)).any()


@pytest.mark.parametrize("fails", [False, True])
def test_the_callers_draws_go_on(fails):
    random.seed(5)
    np.random.seed(5)
    expected = random.random(), np.random.rand()
    random.seed(5)
    np.random.seed(5)
    try:
        with seeded(0):
            random.random(), np.random.rand()
            assert not fails
    except AssertionError:
        pass
    assert (random.random(), np.random.rand()) == expected
