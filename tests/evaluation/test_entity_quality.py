import numpy as np
import pytest

from keras_emb.evaluation import FullRanking, quality_of_entities
from tests.evaluation.rankings import CodeModel, make_interactions

CUTOFFS = (1, 2, 4)


@pytest.fixture(scope="module")
def data():
    random = np.random.default_rng(0)

    def pairs(size, items):
        return list(
            zip(
                random.integers(1, 9, size).tolist(),
                random.choice(items, size).tolist(),
                strict=True,
            )
        )

    return make_interactions(
        10,
        12,
        train=[*pairs(40, np.arange(1, 11)), (1, 2), (1, 2)],
        validation=pairs(20, np.arange(1, 12)),
    )


@pytest.fixture(scope="module")
def result(data):
    scores = np.random.default_rng(1).random((10, 12))
    return FullRanking(data, cutoffs=CUTOFFS)(CodeModel.of_scores(scores))


def test_users_have_the_mean_of_recall_and_ndcg(data, result):
    cutoffs = (1, 4)
    expected = [
        sum(
            result.per_user[f"recall@{k}"][user]
            + result.per_user[f"ndcg@{k}"][user]
            for k in cutoffs
        )
        / (2 * len(cutoffs))
        for user in range(10)
    ]
    quality = quality_of_entities(result, data, cutoffs)
    np.testing.assert_allclose(quality["user"], expected)
    assert quality["user"].max() > 0


def test_items_have_the_mean_of_their_users(data, result):
    quality = quality_of_entities(result, data, CUTOFFS)
    features = data.train.features
    for item in range(12):
        users = sorted({*features["user"][features["item"] == item].tolist()})
        expected = quality["user"][users].mean() if users else 0.0
        np.testing.assert_allclose(quality["item"][item], expected)
    assert quality["item"][11] == quality["item"][0] == 0.0


def test_refuses(data, result):
    with pytest.raises(ValueError, match="'recall@5' is not in"):
        quality_of_entities(result, data)
    with pytest.raises(ValueError, match=r"Received: cutoffs=\(\)"):
        quality_of_entities(result, data, ())
    other = make_interactions(4, 12, train=[(1, 1)])
    with pytest.raises(ValueError, match=r"4 user rows.*shape \(10,\)"):
        quality_of_entities(result, other, CUTOFFS)
