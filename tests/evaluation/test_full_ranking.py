import gc
import weakref

import numpy as np
import pytest

from keras_emb.datasets import Examples, Interactions, Vocabulary
from keras_emb.evaluation import FullRanking
from tests.evaluation.rankings import (
    CodeModel,
    brute_force,
    make_interactions,
    pair_model,
)

CUTOFFS = (1, 3, 10)


def random_interactions(seed, user_rows=23, item_rows=17):
    """Pairs with repeats, unknown ids, and held-out pairs that were seen."""
    random = np.random.default_rng(seed)

    def pairs(size, first_row):
        return list(
            zip(
                random.integers(first_row, user_rows, size).tolist(),
                random.integers(first_row, item_rows, size).tolist(),
                strict=True,
            )
        )

    return make_interactions(
        user_rows,
        item_rows,
        train=pairs(80, 1),
        validation=pairs(40, 0),
        test=pairs(40, 0),
    )


def tied_scores(seed, user_rows=23, item_rows=17):
    random = np.random.default_rng(seed)
    return random.integers(0, 4, (user_rows, item_rows)).astype("float32")


def assert_equal(result, expected):
    assert set(result.per_user) == set(expected) == set(result.metrics)
    for name, values in expected.items():
        np.testing.assert_allclose(
            result.per_user[name], values, rtol=1e-12, err_msg=name
        )


@pytest.mark.parametrize("part", ["validation", "test"])
@pytest.mark.parametrize("block_size", [None, 1, 4, 1000])
def test_equals_brute_force(part, block_size):
    for seed in range(3):
        data, scores = random_interactions(seed), tied_scores(seed)
        ranking = FullRanking(data, part, CUTOFFS, block_size)
        result = ranking(CodeModel.of_scores(scores))
        expected = brute_force(scores, data, part, CUTOFFS)
        assert_equal(result, expected)
        features = getattr(data, part).features
        assert {*features["user"]} < {*range(23)}, "nobody is without positives"


def test_means_are_over_users_with_positives():
    data = make_interactions(
        5,
        4,
        train=[(1, 1), (2, 1), (3, 1), (4, 1)],
        validation=[(1, 2), (2, 3), (4, 1)],
    )
    scores = np.tile([0.0, 9.0, 2.0, 1.0], (5, 1))
    result = FullRanking(data, cutoffs=[1, 2])(CodeModel.of_scores(scores))
    assert result.metrics["recall@1"] == 0.5
    assert result.metrics["mrr@2"] == 0.75
    np.testing.assert_array_equal(result.per_user["mrr@2"], [0, 1, 0.5, 0, 0])


def test_seen_items_make_room():
    data = make_interactions(
        2, 6, train=[(1, 5)], validation=[(1, 4)], test=[(1, 3)]
    )
    model = CodeModel.of_scores(np.tile(np.arange(6.0), (2, 1)))
    for part in ("validation", "test"):
        result = FullRanking(data, part, cutoffs=[1])(model)
        assert result.metrics["recall@1"] == 1.0


def test_unknown_items_count_but_are_never_found():
    data = make_interactions(
        3,
        4,
        train=[(1, 1), (2, 1)],
        validation=[(1, 0), (1, 0), (1, 2), (2, 0)],
    )
    scores = np.tile([9.0, 0.0, 5.0, 4.0], (3, 1))
    result = FullRanking(data, cutoffs=[1, 3])(CodeModel.of_scores(scores))
    np.testing.assert_allclose(result.per_user["recall@3"], [0, 1 / 3, 0])
    np.testing.assert_array_equal(result.per_user["mrr@1"], [0, 1, 0])
    assert result.metrics["hit_rate@1"] == 0.5


def test_only_unknown_items():
    data = make_interactions(2, 3, train=[(1, 1)], validation=[(1, 0)])
    result = FullRanking(data, cutoffs=[1])(
        CodeModel.of_scores(np.ones((2, 3)))
    )
    assert set(result.metrics.values()) == {0.0}


def test_repeated_pairs_count_once():
    once = make_interactions(2, 5, train=[(1, 1)], validation=[(1, 2), (1, 3)])
    often = make_interactions(
        2, 5, train=[(1, 1)] * 3, validation=[(1, 2), (1, 3), (1, 2), (1, 2)]
    )
    model = CodeModel.of_scores(np.tile([0, 0, 1, 2, 3], (2, 1)))
    expected = FullRanking(once, cutoffs=[2])(model)
    assert FullRanking(often, cutoffs=[2])(model).metrics == expected.metrics


def test_cutoffs_beyond_the_catalogue():
    data, scores = random_interactions(1), tied_scores(1)
    cutoffs = (16, 17, 50)
    result = FullRanking(data, cutoffs=cutoffs)(CodeModel.of_scores(scores))
    assert_equal(result, brute_force(scores, data, "validation", cutoffs))
    np.testing.assert_array_equal(
        result.per_user["recall@16"], result.per_user["recall@50"]
    )


def test_seen_items_beyond_the_candidates_are_no_hits():
    # All but one item is seen: places two and three hold nothing.
    data = make_interactions(
        2, 4, train=[(1, 1)], validation=[(1, 2)], test=[(1, 2), (1, 3)]
    )
    model = CodeModel.of_scores(np.zeros((2, 4)))
    result = FullRanking(data, "test", cutoffs=[3])(model)
    assert result.per_user["map@3"].tolist() == [0, 1]


def test_traces_once_and_sees_new_weights():
    data = random_interactions(2)
    ranking = FullRanking(data, cutoffs=CUTOFFS, block_size=4)
    models = [CodeModel.of_scores(tied_scores(seed)) for seed in (2, 3)]
    for seed in range(5):
        for model in models:
            scores = tied_scores(10 + seed)
            model.user_codes.assign(scores)
            expected = brute_force(scores, data, "validation", CUTOFFS)
            assert_equal(ranking(model), expected)
    for model in models:
        assert model.traces == {"encode": 1, "score_codes": 1}


def test_pair_by_pair_gives_the_same():
    random = np.random.default_rng(0)
    data = random_interactions(4)
    # Whole numbers: both ways sum them without rounding.
    model = CodeModel(
        random.integers(-3, 4, (23, 5)), random.integers(-3, 4, (17, 5))
    )
    expected = FullRanking(data, "test", CUTOFFS)(model)
    ranking = FullRanking(data, "test", CUTOFFS, block_size=6)
    slow = pair_model(model)
    assert_equal(ranking(slow), expected.per_user)
    slow.layers[2].set_weights([np.zeros((23, 5))])
    zeros = brute_force(np.zeros((23, 17)), data, "test", CUTOFFS)
    assert_equal(ranking(slow), zeros)


def test_keeps_no_model_alive():
    data = random_interactions(5)
    ranking = FullRanking(data)
    model = CodeModel.of_scores(tied_scores(5))
    slow = pair_model(model)
    for each in (model, slow):
        ranking(each)
    alive = [weakref.ref(model), weakref.ref(slow)]
    del model, slow, each
    gc.collect()
    assert [reference() for reference in alive] == [None, None]


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_scores_must_be_finite(value):
    data, scores = random_interactions(6), tied_scores(6)
    model = CodeModel(scores, np.eye(17))
    model.item_codes.assign(np.diag([value, *[1.0] * 16]))
    for each in (model, pair_model(model)):
        with pytest.raises(ValueError, match="must give every pair a finite"):
            FullRanking(data)(each)


def test_refuses_codes_of_other_data():
    ranking = FullRanking(random_interactions(7))
    with pytest.raises(ValueError, match=r"\(23, 17\).*codes of \(23, 16\)"):
        ranking(CodeModel.of_scores(np.ones((23, 16))))


def test_refuses_arguments():
    data = random_interactions(8)
    with pytest.raises(ValueError, match="Received: part='train'"):
        FullRanking(data, "train")
    with pytest.raises(ValueError, match=r"Received: cutoffs=\[0\]"):
        FullRanking(data, cutoffs=[0])
    with pytest.raises(ValueError, match="Received: block_size=0"):
        FullRanking(data, block_size=0)
    part = Examples({"genre": [1]}, label=[1])
    genres = Interactions(
        part, part, part, {"genre": Vocabulary([1])}, {"name": "by hand"}
    )
    with pytest.raises(ValueError, match=r"Received: \['genre'\]"):
        FullRanking(genres)
    nothing_new = make_interactions(
        2, 3, train=[(1, 1)], validation=[(1, 1), (0, 2)]
    )
    with pytest.raises(ValueError, match="validation part.*none in 2 rows"):
        FullRanking(nothing_new)
    with pytest.raises(ValueError, match="test part.*none in 0 rows"):
        FullRanking(nothing_new, "test")
