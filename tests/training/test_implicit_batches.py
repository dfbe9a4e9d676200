import numpy as np
import pytest

from keras_emb.datasets import (
    AbsentItems,
    Examples,
    ImplicitInteractions,
    synthetic,
)
from keras_emb.training import ImplicitBatches

NEGATIVES = 4


@pytest.fixture(scope="module")
def data():
    planted = synthetic(num_users=30, num_items=50, num_ratings=600)
    return ImplicitInteractions.leave_one_out(planted.ratings)


def make(data, seed=0, batch_size=64, part="train", seen=("train",)):
    return ImplicitBatches(
        getattr(data, part),
        data.absent_items(*seen),
        negatives=NEGATIVES,
        batch_size=batch_size,
        seed=seed,
    )


def pairs_of(data, part):
    features = getattr(data, part).features
    return list(
        zip(features["user"].tolist(), features["item"].tolist(), strict=True)
    )


def flat(stack):
    features, label = stack
    users, items = (features[side].ravel() for side in ("user", "item"))
    pairs = np.stack([users, items], axis=1)
    return pairs, label.ravel()


def epoch_of(batches, data, epoch):
    """An epoch's examples: batches run on over its end."""
    size = (1 + NEGATIVES) * len(data.train)
    first = epoch * size // batches.batch_size
    pairs, label = flat(batches.stack(first, batches.steps_per_epoch + 1))
    start = epoch * size - first * batches.batch_size
    return pairs[start : start + size], label[start : start + size]


def test_an_epoch_holds_every_positive_and_as_many_negatives(data):
    batches = make(data)
    positives = sorted(pairs_of(data, "train"))
    assert batches.steps_per_epoch == -(-len(positives) * 5 // 64)
    for epoch in (0, 1, 3):
        pairs, label = epoch_of(batches, data, epoch)
        assert sorted(map(tuple, pairs[label == 1].tolist())) == positives
        negatives = pairs[label == 0]
        assert len(negatives) == NEGATIVES * len(positives)
        # As many for each user as its positives want.
        np.testing.assert_array_equal(
            np.bincount(negatives[:, 0]),
            NEGATIVES * np.bincount(data.train.features["user"]),
        )
        assert not set(map(tuple, negatives.tolist())) & set(positives)
        assert negatives[:, 1].min() > 0


def test_negatives_are_fresh_in_every_epoch(data):
    batches = make(data)
    sets = []
    for epoch in range(2):
        pairs, label = epoch_of(batches, data, epoch)
        sets.append(sorted(map(tuple, pairs[label == 0].tolist())))
    assert sets[0] != sets[1]


def test_validation_negatives_are_in_neither_part(data):
    batches = make(data, part="validation", seen=("train", "validation"))
    seen = {*pairs_of(data, "train"), *pairs_of(data, "validation")}
    for step in range(0, 40, 7):
        pairs, label = flat(batches.stack(step, 7))
        assert not set(map(tuple, pairs[label == 0].tolist())) & seen
        assert set(map(tuple, pairs[label == 1].tolist())) <= set(
            pairs_of(data, "validation")
        )


def test_any_step_is_known_without_those_before(data):
    whole = make(data).stack(0, 130)
    for first, steps in ((0, 1), (17, 5), (40, 90), (129, 1)):
        features, label = make(data).stack(first, steps)
        part = slice(first, first + steps)
        np.testing.assert_array_equal(label, whole[1][part])
        for side in ("user", "item"):
            assert features[side].dtype == np.int32
            np.testing.assert_array_equal(features[side], whole[0][side][part])
    other = make(data, seed=1).stack(0, 130)
    assert (other[0]["item"] != whole[0]["item"]).any()


def test_negatives_are_uniform_over_what_the_user_has_not():
    positives = Examples({"user": [1, 1], "item": [2, 4]}, label=[1, 1])
    absent = AbsentItems([1, 1], [2, 4], num_users=2, num_items=8)
    batches = ImplicitBatches(
        positives, absent, negatives=4, batch_size=10, seed=0
    )
    pairs, label = flat(batches.stack(0, 1000))
    counts = np.bincount(pairs[label == 0][:, 1], minlength=8)
    assert not counts[[0, 2, 4]].any()
    shares = counts[[1, 3, 5, 6, 7]] / counts.sum()
    np.testing.assert_allclose(shares, 0.2, atol=0.02)


def test_unknown_rows_are_left_out():
    positives = Examples(
        {"user": [1, 0, 1], "item": [2, 3, 0]}, label=[1, 1, 1]
    )
    absent = AbsentItems([1], [2], num_users=2, num_items=8)
    batches = ImplicitBatches(positives, absent, batch_size=64, seed=0)
    pairs, label = flat(batches.stack(0, 3))
    assert batches.batch_size == 5
    assert pairs[label == 1].tolist() == [[1, 2]] * 3
    nothing = Examples({"user": [0], "item": [3]}, label=[1])
    with pytest.raises(ValueError, match="Received: none in 1 rows"):
        ImplicitBatches(nothing, absent, batch_size=64, seed=0)
    with pytest.raises(ValueError, match="`negatives` must.*negatives=0"):
        ImplicitBatches(positives, absent, negatives=0, batch_size=64, seed=0)
