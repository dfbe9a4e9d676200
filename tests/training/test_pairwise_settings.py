"""Losses, rates and recipes of pairwise training."""

import dataclasses
import json

import keras
import numpy as np
import pytest

from keras_emb.training import BPRLoss, FlooredDecay, PairwiseRecipe


def test_bpr_loss_is_minus_the_log_of_a_sigmoid():
    scores = np.random.default_rng(0).normal(size=(20, 2)) * 4
    difference = scores[:, 0] - scores[:, 1]
    expected = -np.log(1 / (1 + np.exp(-difference)))
    nothing = np.zeros((20, 2))
    assert float(BPRLoss()(nothing, scores)) == pytest.approx(
        expected.mean(), rel=1e-5
    )
    each = BPRLoss(reduction=None)(nothing, scores)
    np.testing.assert_allclose(each, expected, rtol=1e-5)


def test_bpr_loss_of_scores_far_apart_is_their_difference():
    scores = np.array([[-1e4, 1e4], [1e4, -1e4]])
    each = BPRLoss(reduction=None)(np.zeros((2, 2)), scores)
    np.testing.assert_allclose(each, [2e4, 0])


def test_bpr_loss_survives_its_configuration():
    loss = keras.losses.deserialize(
        keras.losses.serialize(BPRLoss(name="rank", reduction="sum"))
    )
    assert type(loss) is BPRLoss
    assert (loss.name, loss.reduction) == ("rank", "sum")


def test_floored_decay_falls_in_steps_to_its_floor():
    schedule = FlooredDecay(0.03, factor=0.9, every=200, least=0.02)
    steps = np.arange(2000)
    expected = np.maximum(0.03 * 0.9 ** (steps // 200), 0.02)
    np.testing.assert_allclose(
        [float(schedule(step)) for step in steps[::50]],
        expected[::50],
        rtol=1e-5,
    )
    assert float(schedule(199)) == pytest.approx(0.03)
    assert float(schedule(200)) == pytest.approx(0.027)


def test_a_first_rate_below_the_floor_stays():
    schedule = FlooredDecay(1e-4, factor=0.5, every=10, least=1e-3)
    assert [float(schedule(step)) for step in (0, 99)] == pytest.approx(
        [1e-4, 1e-4]
    )


def test_floored_decay_survives_its_configuration():
    optimizer = keras.optimizers.Adam(FlooredDecay(0.1, 0.5, 10, 0.03))
    config = json.loads(json.dumps(optimizer.get_config()))
    copy = keras.optimizers.Adam.from_config(config)
    schedule = copy._learning_rate
    assert type(schedule) is FlooredDecay
    assert schedule.get_config() == {
        "rate": 0.1,
        "factor": 0.5,
        "every": 10,
        "least": 0.03,
    }


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0.0},
        {"decay": 0.0},
        {"decay": 1.1},
        {"decay_steps": 0},
        {"min_learning_rate": -1e-3},
        {"batch_size": 0},
        {"l2": -1e-4},
        {"max_steps": -1},
        {"max_steps": 2.5},
        {"validate_every": 0},
        {"validate_every": 1.5},
        {"patience": 0},
        {"l2": float("nan")},
    ],
)
def test_recipes_out_of_range_are_refused(wrong):
    ((name, value),) = wrong.items()
    with pytest.raises(ValueError, match=f"`{name}` must.*{name}={value}"):
        PairwiseRecipe(**wrong)


def test_numbers_of_numpy_are_numbers():
    recipe = PairwiseRecipe(max_steps=np.int64(4))
    assert json.loads(json.dumps(dataclasses.asdict(recipe)))["max_steps"] == 4
