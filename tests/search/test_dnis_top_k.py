"""DNIS on implicit feedback, from positives to ranked lists."""

import dataclasses

import keras
import numpy as np
import pytest

from keras_emb import DNIS, retrain
from keras_emb.compression import align, entry_weights, threshold_assignment
from keras_emb.datasets import ImplicitInteractions, Interactions, synthetic
from keras_emb.evaluation import FullRanking, SampledRanking
from keras_emb.training import (
    OBJECTIVES,
    ImplicitObjective,
    TrainingRecipe,
    fit_interactions,
)
from keras_emb.zoo import NeuMF

RECIPE = TrainingRecipe(learning_rate=0.01, batch_size=256, max_epochs=4)
TOP_K = OBJECTIVES["top_k"]


@pytest.fixture(scope="module")
def ratings():
    planted = synthetic(num_users=80, num_items=60, num_ratings=2400).ratings
    # Planted users rate at random; what they like can be learnt.
    return planted.take(np.flatnonzero(planted.rating > 3.2))


@pytest.fixture(scope="module")
def data(ratings):
    return ImplicitInteractions.leave_one_out(ratings, num_candidates=20)


def backbone(data):
    keras.utils.set_random_seed(0)
    return NeuMF.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=10,
        output_bias=TOP_K.output_bias(data),
    )


@pytest.fixture(scope="module")
def search(data):
    found = DNIS(
        0.5,
        num_blocks=3,
        recipe=RECIPE,
        warm_start_epochs=1,
        search_epochs=3,
        selection_learning_rate=0.05,
        objective=TOP_K,
    )
    found.sizes = found.fit(backbone(data), data)
    return found


def test_a_model_that_knows_nothing_answers_the_share_of_positives(data):
    bias = TOP_K.output_bias(data)
    assert 1 / (1 + np.exp(-bias)) == pytest.approx(0.2)


def test_the_best_epoch_is_that_of_the_best_lists(data, search):
    # A search that keeps where it began has searched nothing.
    for stage, first in (("warm_start", 0), ("search", 1)):
        record = search.trace[stage]
        values = [entry["sampled_ndcg@10"] for entry in record.history]
        assert record.best["sampled_ndcg@10"] == max(values[first:])
        assert record.best_epoch >= first
    warm = search.trace["warm_start"]
    assert warm.best["sampled_ndcg@10"] > warm.history[0]["sampled_ndcg@10"]
    # The merged model is the search's best state.
    result = SampledRanking(data, "validation")(search.model)
    best = search.trace["search"].best
    assert result.metrics["sampled_ndcg@10"] == pytest.approx(
        best["sampled_ndcg@10"], rel=1e-3
    )


def test_rows_count_as_the_lists_of_users_do(data):
    found = TOP_K.importance(data)
    users, items = (data.train.features[side] for side in ("user", "item"))
    expected = {side: np.zeros(len(rows)) for side, rows in found.items()}
    # A list each for all who took anything, made of what they took.
    for user in np.unique(users):
        taken = items[users == user]
        expected["user"][user] = 1
        for item in taken:
            expected["item"][item] += 1 / len(taken)
    scale = len(users) / len(np.unique(users))
    for side, rows in expected.items():
        np.testing.assert_allclose(found[side], scale * rows)
    # Where examples count the same, so do the rows of each.
    counts = OBJECTIVES["rating"].importance(data)
    for side, rows in data.popularity.items():
        np.testing.assert_array_equal(counts[side], rows)


def test_the_turn_and_the_cut_weigh_rows_by_their_importance(data, search):
    expected = TOP_K.importance(data)
    sides = {name: name.split("_")[0] for name in search.model.tables}
    of_rows, by_count = (
        {name: np.asarray(rows[side], float) for name, side in sides.items()}
        for rows in (expected, data.popularity)
    )
    turned, other = (
        align(search.merged, {n: c**0.5 for n, c in counts.items()})
        for counts in (of_rows, by_count)
    )
    tables = {name: t.values() for name, t in search.model.tables.items()}
    for name, values in tables.items():
        np.testing.assert_array_equal(turned.tables[name].values(), values)
    assert any(
        (other.tables[name].values() != values).any()
        for name, values in tables.items()
    )
    cut, counted = (
        threshold_assignment(
            tables, 0.5, "prefix", entry_weights(tables, rows, aligned=True)
        )
        for rows in (of_rows, by_count)
    )
    for name in tables:
        np.testing.assert_array_equal(search.sizes.sizes(name), cut.sizes(name))
    assert any(
        (counted.sizes(name) != cut.sizes(name)).any() for name in tables
    )


def test_a_search_that_only_hurts_is_a_search_all_the_same(data, search):
    wild = DNIS(
        0.5,
        num_blocks=3,
        recipe=dataclasses.replace(RECIPE, learning_rate=1.0),
        warm_start_epochs=0,
        search_epochs=2,
        objective=TOP_K,
    )
    wild.fit(search.merged, data)
    record = wild.trace["search"]
    start, *epochs = (entry["sampled_ndcg@10"] for entry in record.history)
    assert start > max(epochs)
    assert record.best_epoch > 0
    assert all((alpha < 1).any() for alpha in wild.alpha.values())


def test_selections_learn_from_the_validation_part(search):
    assert {alpha.shape for alpha in search.alpha.values()} == {(3, 2), (3, 8)}
    for alpha in search.alpha.values():
        assert 0 <= alpha.min() < alpha.max() <= 1


def test_sizes_are_cut_and_trained_on_the_same_batches(data, search):
    model, record = retrain(
        search.model, search.sizes, data, RECIPE, objective=TOP_K
    )
    assert search.sizes.kept_share <= 0.5
    assert record.best["sampled_ndcg@10"] > 0
    metrics = TOP_K.measure(model, data, "test")
    sampled = SampledRanking(data, "test")(model).metrics
    full = FullRanking(data, "test", (1, 5, 10))(model).metrics
    for name, value in metrics.items():
        either = sampled if name.startswith("sampled") else full
        assert value == pytest.approx(either[name])
    assert len(metrics) == 18


class Interrupted(Exception):
    pass


def test_an_interrupted_search_ends_the_same(data, tmp_path):
    settings = {
        "num_blocks": 2,
        "recipe": RECIPE,
        "warm_start_epochs": 0,
        "search_epochs": 3,
        "objective": TOP_K,
    }
    whole = DNIS(0.5, **settings)
    expected = whole.fit(backbone(data), data)

    def interrupt(epoch, logs):
        if epoch == 2:
            raise Interrupted

    told = [keras.callbacks.LambdaCallback(on_epoch_end=interrupt)]
    kept = {"checkpoint_dir": tmp_path, "checkpoint_seconds": 0.0}
    with pytest.raises(Interrupted):
        DNIS(0.5, **settings).fit(backbone(data), data, callbacks=told, **kept)
    resumed = DNIS(0.5, **settings)
    found = resumed.fit(backbone(data), data, **kept)
    for width, alpha in whole.alpha.items():
        np.testing.assert_array_equal(resumed.alpha[width], alpha)
    for name in expected.tables:
        np.testing.assert_array_equal(found.sizes(name), expected.sizes(name))


def test_more_negatives_make_longer_epochs(data):
    two = dataclasses.replace(ImplicitObjective(), negatives=2)
    batches = two.batches(data, "train", batch_size=30, seed=0)
    assert batches.steps_per_epoch == -(-3 * len(data.train) // 30)


def test_ratings_are_refused(ratings):
    explicit = Interactions.from_ratings(ratings, "random")
    with pytest.raises(ValueError, match="implicit.*Received: Interactions"):
        fit_interactions(backbone(explicit), explicit, RECIPE, objective=TOP_K)
