import dataclasses
import math

import keras_rs
import numpy as np
import pytest

from keras_emb.datasets import Candidates, ImplicitInteractions, synthetic
from keras_emb.evaluation import SampledRanking, sampled_ranking_metrics
from tests.evaluation.rankings import CodeModel, pair_model

CUTOFFS = (1, 5, 10)


@pytest.fixture(scope="module")
def data():
    planted = synthetic(num_users=25, num_items=60, num_ratings=500)
    found = ImplicitInteractions.leave_one_out(
        planted.ratings, num_candidates=30
    )
    test = found.candidates["test"]
    others, item = test.others.copy(), test.item.copy()
    # Empty places and held-out items nobody knows.
    others[3, 4:9] = 0
    others[5] = 0
    item[[2, 7]] = 0
    lists = Candidates(test.user, item, others)
    return dataclasses.replace(found, candidates={"test": lists})


def scores_of(data, seed, levels=6):
    shape = [len(data.vocabularies[side]) for side in ("user", "item")]
    random = np.random.default_rng(seed)
    return random.integers(0, levels, shape).astype("float32")


def brute_force(data, scores, cutoffs):
    """One list at a time, one item at a time."""
    lists = data.candidates["test"]
    metrics = {}
    for user, item, others in zip(
        lists.user, lists.item, lists.others, strict=True
    ):
        place = 1
        for other in others:
            if other and scores[user, other] >= scores[user, item]:
                place += 1
        for k in cutoffs:
            hit = item != 0 and place <= k
            for name, value in (
                ("hit_rate", 1.0),
                ("ndcg", 1 / math.log2(place + 1)),
                ("mrr", 1 / place),
            ):
                rows = metrics.setdefault(
                    f"sampled_{name}@{k}",
                    np.zeros(len(data.vocabularies["user"])),
                )
                rows[user] = value if hit else 0.0
    return metrics


@pytest.mark.parametrize("levels", [1, 4, 1000])
def test_equals_brute_force(data, levels):
    ranking = SampledRanking(data, "test", CUTOFFS)
    scores = scores_of(data, levels, levels)
    result = ranking(pair_model(CodeModel.of_scores(scores)))
    expected = brute_force(data, scores, CUTOFFS)
    assert set(result.metrics) == set(result.per_user) == set(expected)
    users = data.candidates["test"].user
    for name, values in expected.items():
        np.testing.assert_allclose(result.per_user[name], values, rtol=1e-12)
        mean = float(values[users].mean())
        assert result.metrics[name] == pytest.approx(mean)
    # Alone in its list, even a tie is found; the unknown never are.
    assert result.per_user["sampled_hit_rate@1"][users[5]] == 1
    assert not result.per_user["sampled_hit_rate@10"][users[[2, 7]]].any()


@pytest.mark.parametrize("cutoff", CUTOFFS)
def test_equals_keras_rs(cutoff):
    random = np.random.default_rng(0)
    scores = random.permuted(np.tile(np.arange(100.0), (50, 1)), axis=1)
    label = np.zeros(scores.shape, "float32")
    label[:, 0] = 1
    found = sampled_ranking_metrics(scores.ravel(), label.ravel(), [cutoff])
    for name, metric in {
        "hit_rate": keras_rs.metrics.RecallAtK,
        "ndcg": keras_rs.metrics.NDCG,
        "mrr": keras_rs.metrics.MeanReciprocalRank,
    }.items():
        theirs = metric(k=cutoff)
        theirs.update_state(label, scores.astype("float32"))
        np.testing.assert_allclose(
            found[f"sampled_{name}@{cutoff}"].mean(),
            theirs.result(),
            rtol=1e-5,
            err_msg=name,
        )


def test_ties_do_not_help():
    label = np.tile([1, 0, 0, 0], 3)
    found = sampled_ranking_metrics(np.zeros(12), label, [3, 4])
    assert found["sampled_hit_rate@3"].tolist() == [0, 0, 0]
    assert found["sampled_mrr@4"].tolist() == [0.25, 0.25, 0.25]


def test_refuses_what_is_no_list(data):
    with pytest.raises(ValueError, match="begin with a held-out item"):
        sampled_ranking_metrics([1.0, 2.0], [0, 1])
    with pytest.raises(ValueError, match=r"scores of \(2,\)"):
        sampled_ranking_metrics([1.0, 2.0], [1])
    with pytest.raises(ValueError, match="must be finite. Received: 1 others"):
        sampled_ranking_metrics([1.0, np.nan], [1, 0])
    with pytest.raises(ValueError, match=r"\['test'\].*part='validation'"):
        SampledRanking(data)
    with pytest.raises(ValueError, match=r"Received: cutoffs=\[0\]"):
        SampledRanking(data, "test", [0])
