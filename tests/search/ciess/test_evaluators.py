import dataclasses
import json

import keras
import numpy as np
import pytest

from keras_emb.compression import SizeAssignment, compact
from keras_emb.datasets import Examples, Interactions, synthetic
from keras_emb.evaluation import FullRanking, quality_of_entities
from keras_emb.layers import BipartiteGraph, DenseEmbedding, find_tables
from keras_emb.search.ciess import (
    CIESS,
    AlignedEvaluator,
    RetrainEvaluator,
    SizedRecommender,
    list_quality,
    sizes_of_tables,
)
from keras_emb.search.ciess.size_problem import SizeProblem
from keras_emb.training import PairwiseRecipe, apply_assignment
from keras_emb.zoo import NGCF, LightGCN, MatrixFactorization, NeuMF
from tests.search.ciess.extra import needs_agents

RECIPE = PairwiseRecipe(
    batch_size=256, max_steps=30, validate_every=10, learning_rate=0.03
)


@pytest.fixture(scope="module")
def data() -> Interactions:
    planted = synthetic(num_users=80, num_items=60, num_ratings=2200)
    return Interactions.from_ratings(planted.ratings, "per_user_random")


def _rows(data):
    return {side: len(ids) for side, ids in data.vocabularies.items()}


def _lightgcn(data, width=8):
    graph = BipartiteGraph.from_interactions(data)
    keras.utils.set_random_seed(0)
    return LightGCN.from_graph(graph, embedding_dim=width)


def _random_sizes(data, width=8, seed=0):
    random = np.random.default_rng(seed)
    return {
        side: random.integers(1, width + 1, count)
        for side, count in _rows(data).items()
    }


@pytest.fixture(scope="module")
def trained(data):
    recommender = SizedRecommender(_lightgcn(data), data, RECIPE)
    recommender.start(recommender.full_sizes)
    recommender.train(0, validated=False)
    model = _lightgcn(data)
    for own, new in zip(
        model.trainable_variables,
        recommender.model.trainable_variables,
        strict=True,
    ):
        own.assign(new.value)
    return model


def test_a_narrower_twin_learns_what_the_full_model_learns(data, monkeypatch):
    sizes = _random_sizes(data, width=5)
    found = {}
    for narrow in (True, False):
        monkeypatch.setattr(LightGCN, "any_width", narrow)
        recommender = SizedRecommender(_lightgcn(data, 24), data, RECIPE)
        recommender.start(sizes, seed=3)
        record = recommender.train(1)
        tables = find_tables(recommender.model)
        # A narrower twin leaves the entries that no row shows as they were.
        entries = {name: table.values() for name, table in tables.items()}
        found[narrow] = (
            [entry["quality"] for entry in record.history],
            entries,
            recommender.evaluation().score,
        )
        assert {len(table[0]) for table in entries.values()} == {24}
        assert {table.sizes.numpy().max() for table in tables.values()} == {5}
    np.testing.assert_allclose(*(found[k][0] for k in found), atol=1e-6)
    assert found[True][0][0] != found[True][0][-1]
    assert found[True][2] == pytest.approx(found[False][2], abs=1e-6)
    for name, entries in found[True][1].items():
        np.testing.assert_allclose(entries, found[False][1][name], atol=1e-5)


def test_the_tables_of_a_side_share_its_sizes(data):
    rows = _rows(data)
    model = NeuMF.from_sizes(
        users=rows["user"],
        items=rows["item"],
        embedding_dim=8,
        equal_widths=True,
        hidden_units=[8],
    )
    sizes = _random_sizes(data)
    assignment = sizes_of_tables(model, sizes)
    for name in ("user_gmf", "user_mlp"):
        np.testing.assert_array_equal(assignment.sizes(name), sizes["user"])
    biased = MatrixFactorization.from_sizes(users=3, items=4, embedding_dim=8)
    ones = {"user": np.ones(3, int), "item": np.ones(4, int)}
    assert set(sizes_of_tables(biased, ones).tables) == {"user", "item"}


def test_a_recommender_of_mixed_widths_is_refused(data):
    rows = _rows(data)
    model = NeuMF.from_sizes(
        users=rows["user"], items=rows["item"], embedding_dim=10
    )
    with pytest.raises(ValueError, match="of one width"):
        SizedRecommender(model, data, RECIPE)


def test_the_aligned_evaluator_cuts_and_nothing_else(data, trained):
    evaluator = AlignedEvaluator(trained, data, RECIPE)
    ranking = FullRanking(data, "validation")
    full = evaluator.full_size()
    expected = quality_of_entities(ranking(trained), data)
    np.testing.assert_allclose(full.quality["user"], expected["user"], 1e-3)
    sizes = _random_sizes(data)
    first = evaluator.evaluate(sizes, seed=0)
    cut = evaluator.recommender.model
    small, _ = compact(cut, sizes_of_tables(cut, sizes))
    result = ranking(small)
    quality = quality_of_entities(result, data)
    np.testing.assert_allclose(first.quality["item"], quality["item"], 1e-6)
    names = [f"{m}@{k}" for m in ("recall", "ndcg") for k in (5, 10, 20)]
    mean = np.mean([result.metrics[name] for name in names])
    assert first.score == pytest.approx(mean)
    # Any other candidate between leaves no trace.
    evaluator.retrain(_random_sizes(data, seed=1), seed=3)
    again = evaluator.evaluate(sizes, seed=5)
    np.testing.assert_array_equal(first.quality["user"], again.quality["user"])


def test_training_on_never_makes_a_candidate_worse(data, trained):
    sizes = _random_sizes(data)
    plain = AlignedEvaluator(trained, data, RECIPE)
    score = plain.evaluate(sizes, seed=0).score
    assert plain.retrain(sizes, seed=0) >= score
    tuned = AlignedEvaluator(trained, data, RECIPE, fine_tuning_steps=10)
    assert tuned.evaluate(sizes, seed=0).score >= score


def test_sizes_cut_in_the_aligned_basis(data, trained):
    """Leading coordinates carry more than any as many others would."""
    evaluator = AlignedEvaluator(trained, data, RECIPE)
    tables = find_tables(evaluator.recommender.model)
    values = np.concatenate([t.embeddings.numpy() for t in tables.values()])
    energy = (values**2).sum(axis=0)
    assert energy[:4].sum() > energy[4:].sum()


def test_a_fresh_recommender_depends_on_its_seed_alone(data, trained):
    evaluator = RetrainEvaluator(trained, data, RECIPE, steps=5)
    sizes = _random_sizes(data)
    first = evaluator.evaluate(sizes, seed=1)
    other = evaluator.evaluate(sizes, seed=2)
    again = evaluator.evaluate(sizes, seed=1)
    np.testing.assert_array_equal(first.quality["user"], again.quality["user"])
    assert (first.quality["user"] != other.quality["user"]).any()
    full = evaluator.full_size()
    expected = FullRanking(data, "validation")(trained).per_user["ndcg@20"]
    assert full.quality["user"].shape == expected.shape
    assert evaluator.retrain(sizes, seed=1) > 0


def test_nothing_of_one_candidate_is_left_to_the_next(data):
    rows = _rows(data)
    inputs = {side: keras.Input((), dtype="int32", name=side) for side in rows}
    tables = [
        DenseEmbedding(rows[side], 8, name=f"{side}_table")(ids)
        for side, ids in inputs.items()
    ]
    normalized = [keras.layers.BatchNormalization()(row) for row in tables]
    model = keras.Model(inputs, keras.layers.Dot(1)(normalized))
    recipe = dataclasses.replace(RECIPE, l2=0.0)
    evaluator = RetrainEvaluator(model, data, recipe, steps=5)
    scores = {
        evaluator.evaluate(_random_sizes(data), seed=1).score for _ in range(3)
    }
    assert len(scores) == 1


def test_fresh_weights_keep_the_graph(data):
    recommender = SizedRecommender(_lightgcn(data), data, RECIPE)
    before = recommender.model.propagation.graph
    recommender.start(_random_sizes(data), seed=4)
    after = recommender.model.propagation.graph
    np.testing.assert_array_equal(before.items, after.items)
    assert after.num_edges > 0


def test_a_model_that_allows_no_turn_is_cut_as_it_is(data):
    graph = BipartiteGraph.from_interactions(data)
    model = NGCF.from_graph(graph, embedding_dim=8)
    evaluator = AlignedEvaluator(model, data, RECIPE)
    sizes = _random_sizes(data)
    found = evaluator.evaluate(sizes, seed=0)
    cut = apply_assignment(model, sizes_of_tables(model, sizes))
    expected = quality_of_entities(FullRanking(data)(cut), data)
    np.testing.assert_allclose(
        found.quality["user"], expected["user"], 1e-5, 1e-7
    )


@pytest.mark.parametrize(
    ("kind", "argument"),
    [
        (RetrainEvaluator, {"steps": 0}),
        (AlignedEvaluator, {"fine_tuning_steps": -1}),
        (AlignedEvaluator, {"fine_tuning_rate": 0}),
    ],
)
def test_impossible_trainings_of_candidates_are_refused(kind, argument, data):
    with pytest.raises(ValueError, match=next(iter(argument))):
        kind(_lightgcn(data), data, RECIPE, **argument)


@pytest.mark.tfagents
@needs_agents[1]
def test_a_search_on_a_recommender_interrupted_and_resumed(
    data, trained, tmp_path
):
    def search():
        return CIESS(
            0.5, recipe=RECIPE, warm_start_steps=0, episodes=2, iterations=2
        )

    found = search()
    assignment = found.fit(trained, data)
    assert assignment.kept_share <= 0.5
    assert set(assignment.tables) == {"user", "item"}
    assert len(found.candidates(0.25)) <= 3
    for candidate in found.candidates(0.25):
        assert candidate.mean_size <= 2

    def interrupt(step, logs):
        if logs["episode"] == 1:
            raise KeyboardInterrupt

    seen = []
    told = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda step, logs: seen.append(step)
    )
    failing = keras.callbacks.LambdaCallback(on_epoch_end=interrupt)
    options = {"checkpoint_dir": tmp_path, "checkpoint_seconds": 0}
    with pytest.raises(KeyboardInterrupt):
        search().fit(trained, data, callbacks=[failing], **options)
    resumed = search()
    again = resumed.fit(trained, data, callbacks=[told], **options)
    assert seen == [3]
    assert resumed.trace == found.trace
    assert again.tables == assignment.tables


@pytest.mark.tfagents
@needs_agents[1]
@pytest.mark.parametrize("evaluator", ["aligned", "retrain"])
def test_an_untrained_backbone_is_trained_first(data, evaluator):
    rows = _rows(data)
    keras.utils.set_random_seed(0)
    backbone = NeuMF.from_sizes(
        users=rows["user"],
        items=rows["item"],
        embedding_dim=8,
        equal_widths=True,
        hidden_units=[8],
    )
    before = backbone.get_weights()
    # As many as half of the values, and an index of each table.
    num_bytes = 4 * 8 * sum(rows.values()) + 200
    search = CIESS(
        num_bytes,
        evaluator=evaluator,
        recipe=RECIPE,
        episodes=1,
        iterations=2,
        num_candidates=1,
    )
    sizes = search.fit(backbone, data)
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    ranking = FullRanking(data, "validation")
    trained = list_quality(ranking(search.model).metrics)
    assert trained > list_quality(ranking(backbone).metrics)
    # Both tables of a side have its sizes, and both count.
    assert sizes.tables.keys() == backbone.tables.keys()
    assert sizes.tables["user_gmf"] == sizes.tables["user_mlp"]
    assert sizes.memory_bytes() <= num_bytes
    model = search.evaluator.build(sizes)
    small, report = compact(model, sizes)
    assert report.after.values + report.after.index <= num_bytes
    assert list_quality(ranking(small).metrics) == pytest.approx(
        sizes.origin["scores"][0], rel=1e-5
    )


@pytest.mark.tfagents
@needs_agents[1]
def test_a_search_interrupted_in_its_warm_start_goes_on(data, tmp_path):
    def search():
        return CIESS(0.5, recipe=RECIPE, episodes=1, iterations=1)

    class Told(keras.callbacks.Callback):
        """Counts the epochs of each training, and may fail in one."""

        def __init__(self, fail_at=None):
            super().__init__()
            self.epochs, self.fail_at = [], fail_at

        def on_train_begin(self, logs=None):
            self.epochs.append(0)

        def on_epoch_end(self, epoch, logs=None):
            assert epoch == self.epochs[-1]
            self.epochs[-1] += 1
            if epoch == self.fail_at:
                raise KeyboardInterrupt

    told = Told()
    whole = search()
    expected = whole.fit(_lightgcn(data), data, callbacks=[told])
    # Three validations, one iteration.
    assert told.epochs == [3, 1]
    options = {"checkpoint_dir": tmp_path, "checkpoint_seconds": 0}
    with pytest.raises(KeyboardInterrupt):
        search().fit(_lightgcn(data), data, callbacks=[Told(1)], **options)
    graph = BipartiteGraph.from_interactions(data)
    shallow = LightGCN.from_graph(graph, embedding_dim=8, num_layers=1)
    with pytest.raises(ValueError, match="warm_start.npz.*'backbone'"):
        search().fit(shallow, data, **options)
    # Weights that no seed was set for are others in the next session.
    other = _lightgcn(data)
    table = find_tables(other)["user"].embeddings
    table.assign(2 * table)
    resumed = search()
    sizes = resumed.fit(other, data, **options)
    assert resumed.trace == whole.trace
    assert sizes.tables == expected.tables


def test_the_recommender_of_the_sizes_chosen_is_a_model_of_its_own(
    data, trained
):
    evaluator = AlignedEvaluator(trained, data, RECIPE)
    sizes = _random_sizes(data)
    model = evaluator.build(sizes, seed=1)
    ranking = FullRanking(data, "validation")
    found = ranking(model).metrics["ndcg@20"]
    evaluator.evaluate(_random_sizes(data, seed=1), seed=0)
    assert ranking(model).metrics["ndcg@20"] == found
    small, _ = compact(model, sizes_of_tables(model, sizes))
    assert ranking(small).metrics["ndcg@20"] == pytest.approx(found)


def test_a_fingerprint_tells_models_and_settings_apart(data, trained):
    def of(model=trained, recipe=RECIPE, **settings):
        kind = RetrainEvaluator if "steps" in settings else AlignedEvaluator
        return kind(model, data, recipe, **settings).fingerprint

    assert of() == of()
    others = [
        of(model=_lightgcn(data)),
        of(recipe=dataclasses.replace(RECIPE, l2=0.5)),
        of(fine_tuning_steps=3),
        of(fine_tuning_rate=1.0),
        of(alignment_power=1.0),
        of(cutoffs=(7,)),
        of(steps=3),
    ]
    assert all(other != of() for other in others)
    json.dumps(others)


def test_lists_of_other_lengths_are_valued(data, trained):
    evaluator = AlignedEvaluator(trained, data, RECIPE, cutoffs=(3,))
    metrics = FullRanking(data, "validation", (3,))(trained).metrics
    expected = (metrics["recall@3"] + metrics["ndcg@3"]) / 2
    assert evaluator.full_size().score == pytest.approx(expected, rel=1e-5)


def test_the_model_built_is_the_one_retrained(data, trained):
    evaluator = RetrainEvaluator(trained, data, RECIPE, steps=1)
    sizes = _random_sizes(data)
    score = evaluator.retrain(sizes, seed=7)
    assignment = SizeAssignment.from_sizes(sizes, 8, {"retrain_seed": 7})
    again = FullRanking(data)(evaluator.build(assignment)).metrics
    assert list_quality(again) == pytest.approx(score, rel=1e-6)
    other = FullRanking(data)(evaluator.build(assignment, seed=0)).metrics
    assert list_quality(other) != pytest.approx(score, rel=1e-6)


def test_rows_may_all_be_empty(data):
    recommender = SizedRecommender(_lightgcn(data), data, RECIPE)
    empty = {side: np.zeros(n, int) for side, n in _rows(data).items()}
    recommender.start(empty, 0)
    assert np.isfinite(recommender.train(0, max_steps=1).best["quality"])


def test_isolated_nodes_and_users_without_positives_have_finite_rewards(data):
    lonely, silent = 5, 3

    def without(part, side, row):
        kept = part.features[side] != row
        features = {name: rows[kept] for name, rows in part.features.items()}
        return Examples(features, part.label[kept])

    train = without(data.train, "item", lonely)
    validation = without(data.validation, "user", silent)
    holed = dataclasses.replace(data, train=train, validation=validation)
    graph = BipartiteGraph.from_interactions(holed)
    keras.utils.set_random_seed(0)
    model = LightGCN.from_graph(graph, embedding_dim=8)
    assert holed.popularity["item"][lonely] == 0
    evaluators = (
        AlignedEvaluator(model, holed, RECIPE, fine_tuning_steps=1),
        RetrainEvaluator(model, holed, RECIPE, steps=1),
    )
    for evaluator in evaluators:
        problem = SizeProblem(holed.popularity, evaluator, d_max=8)
        problem.value_full_size()
        sizes = np.concatenate(list(_random_sizes(data).values()))
        states, rewards, candidate = problem.step(sizes, seed=0)
        assert np.isfinite(states).all() and np.isfinite(rewards).all()
        assert np.isfinite(candidate.score)
        quality = evaluator.recommender.evaluation().quality
        assert quality["user"][silent] == 0
