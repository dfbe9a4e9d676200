import keras_rs
import numpy as np
import pytest

from keras_emb.evaluation import ranking_metrics


def test_by_hand():
    metrics = ranking_metrics(
        [[True, False, True, False], [False, False, False, True]],
        [3, 1],
        cutoffs=(1, 2, 4),
    )
    expected = {
        "recall@1": [1 / 3, 0],
        "recall@2": [1 / 3, 0],
        "recall@4": [2 / 3, 1],
        "hit_rate@1": [1, 0],
        "hit_rate@4": [1, 1],
        "mrr@2": [1, 0],
        "mrr@4": [1, 0.25],
        "map@1": [1, 0],
        "map@2": [0.5, 0],
        "map@4": [(1 + 2 / 3) / 3, 0.25],
        "ndcg@1": [1, 0],
        "ndcg@2": [1 / (1 + 1 / np.log2(3)), 0],
        "ndcg@4": [1.5 / (1.5 + 1 / np.log2(3)), 1 / np.log2(5)],
    }
    for name, values in expected.items():
        np.testing.assert_allclose(metrics[name], values, err_msg=name)
    assert len(metrics) == 15


def test_users_without_positives_have_zero():
    metrics = ranking_metrics([[False, False]], [0], cutoffs=(1, 5))
    assert all(values.tolist() == [0.0] for values in metrics.values())


def test_places_that_are_not_there_hold_nothing():
    hits = np.array([[True, False, True], [False, True, False]])
    padded = np.pad(hits, ((0, 0), (0, 7)))
    short = ranking_metrics(hits, [4, 1], cutoffs=(2, 10))
    long = ranking_metrics(padded, [4, 1], cutoffs=(2, 10))
    for name, values in long.items():
        np.testing.assert_array_equal(short[name], values)
    none = ranking_metrics(np.zeros((1, 0), bool), [2], cutoffs=(3,))
    assert all(values.tolist() == [0.0] for values in none.values())


@pytest.mark.parametrize("cutoff", [1, 5, 20])
def test_equals_keras_rs(cutoff):
    """Where the definitions agree: all but MAP of users with many positives.

    Keras RS divides the average precision by all positives, also those that
    cannot stand in the first places.
    """
    random = np.random.default_rng(0)
    labels = (random.random((50, 30)) < 0.2).astype("float32")
    scores = random.permuted(
        np.tile(np.arange(30, dtype="float32"), (50, 1)), axis=1
    )
    order = np.argsort(-scores, axis=1)
    hits = np.take_along_axis(labels, order, axis=1) > 0
    positives = labels.sum(axis=1).astype(int)
    assert positives.min() > 0
    metrics = ranking_metrics(hits, positives, cutoffs=[cutoff])
    factor = np.minimum(positives, cutoff) / positives
    metrics[f"map@{cutoff}"] *= factor
    for name, metric in {
        "recall": keras_rs.metrics.RecallAtK,
        "ndcg": keras_rs.metrics.NDCG,
        "mrr": keras_rs.metrics.MeanReciprocalRank,
        "map": keras_rs.metrics.MeanAveragePrecision,
    }.items():
        theirs = metric(k=cutoff)
        theirs.update_state(labels, scores)
        np.testing.assert_allclose(
            metrics[f"{name}@{cutoff}"].mean(),
            theirs.result(),
            rtol=1e-5,
            err_msg=name,
        )


@pytest.mark.parametrize("cutoffs", [(), (0,), (5, -1), (2.5,), ("5",), 5])
def test_cutoffs_must_be_positive_integers(cutoffs):
    with pytest.raises(ValueError, match="`cutoffs` must be.*Received: cutoff"):
        ranking_metrics([[True]], [1], cutoffs=cutoffs)


def test_refuses_what_does_not_fit():
    with pytest.raises(ValueError, match=r"Received: hits of shape \(1, 2\)"):
        ranking_metrics([[True, False]], [1, 1])
    with pytest.raises(ValueError, match=r"num_positives\[1\]=1 with 2 hits"):
        ranking_metrics([[True, False], [True, True]], [1, 1])
