import numpy as np
import pytest

from keras_emb.datasets import task_labels
from keras_emb.evaluation import (
    mean_by_popularity,
    popularity_before,
    prequential_scores,
    running_mean,
)


def test_binary_and_rating_scores():
    predicted, label = [[0.9], [0.4], [0.6]], [1, 1, 0]
    loss, correct = prequential_scores(predicted, label, "binary")
    np.testing.assert_allclose(loss, [0.01, 0.36, 0.36])
    assert correct.tolist() == [True, False, False]
    loss, correct = prequential_scores([[3.0], [4.5]], [5, 4], "rating")
    np.testing.assert_allclose(loss, [4.0, 0.25])
    assert correct is None


def test_multiclass_scores():
    predicted = [[0.2, 0.5, 0.3], [1.0, 0.0, 0.0]]
    loss, correct = prequential_scores(predicted, [1, 2], "multiclass")
    np.testing.assert_allclose(loss, [-np.log(0.5), -np.log(1e-7)])
    assert correct.tolist() == [True, False]


def test_unknown_tasks_are_refused():
    with pytest.raises(ValueError, match="Received: task='ranking'"):
        prequential_scores([[1.0]], [1], "ranking")
    with pytest.raises(ValueError, match="Received: task='ranking'"):
        task_labels([3.0], "ranking")
    with pytest.raises(ValueError, match=r"must lie in 0\.5\.\.5"):
        task_labels([5.6], "multiclass")


def test_labels_of_every_star():
    stars = np.arange(0.5, 5.1, 0.5)
    np.testing.assert_array_equal(
        task_labels(stars, "multiclass"), [0, 0, 1, 1, 2, 2, 3, 3, 4, 4]
    )
    np.testing.assert_array_equal(task_labels(stars, "binary"), stars > 3.5)
    np.testing.assert_array_equal(task_labels(stars, "rating"), stars)


@pytest.mark.parametrize("batch_size", [1, 3, 7, 100])
def test_popularity_counts_earlier_batches_only(batch_size):
    ids = np.random.default_rng(0).integers(0, 5, 40)
    expected = [
        np.sum(ids[: t // batch_size * batch_size] == ids[t]) for t in range(40)
    ]
    np.testing.assert_array_equal(popularity_before(ids, batch_size), expected)


def test_means_by_popularity():
    scores, seen = np.array([1.0, 2.0, 3.0, 4.0]), np.array([0, 1, 1, 7])
    assert mean_by_popularity(scores, seen, [0, 1, 6, 7, 20]) == [
        1.0,
        2.5,
        None,
        4.0,
    ]


def test_means_along_the_stream_cover_it_all():
    scores = np.arange(10.0)
    along = running_mean(scores, points=4)
    assert along["interactions"] == [3, 6, 8, 10]
    assert along["mean"] == [1.0, 4.0, 6.5, 8.5]
    assert running_mean([2.0], points=4)["mean"] == [2.0]
