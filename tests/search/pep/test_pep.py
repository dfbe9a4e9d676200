import keras
import numpy as np
import pytest

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.datasets import Interactions, synthetic
from keras_emb.evaluation import FullRanking
from keras_emb.layers import BipartiteGraph, find_tables, table_values
from keras_emb.search import PEP
from keras_emb.training import (
    PairwiseRecipe,
    PairwiseTrainer,
    apply_assignment,
)
from keras_emb.zoo import LightGCN, MatrixFactorization, NeuMF

RECIPE = PairwiseRecipe(
    learning_rate=0.1, batch_size=256, max_steps=400, validate_every=20
)


@pytest.fixture(scope="module")
def data():
    planted = synthetic(num_users=120, num_items=80, num_ratings=3000)
    return Interactions.from_ratings(planted.ratings, "random")


def graph(data):
    train = data.train.features
    rows = {name: len(ids) for name, ids in data.vocabularies.items()}
    return BipartiteGraph.from_pairs(
        train["user"], train["item"], rows["user"], rows["item"]
    )


def light_gcn(data):
    keras.utils.set_random_seed(0)
    return LightGCN.from_graph(graph(data), embedding_dim=16)


def other(kind, data):
    keras.utils.set_random_seed(0)
    return kind.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=10,
    )


@pytest.fixture(scope="module")
def searched(data):
    """A search of three shares, and the backbone it was given."""
    backbone = light_gcn(data)
    search = PEP([0.5, 0.2, 0.1], recipe=RECIPE, check_every=5)
    return search, search.fit(backbone, data), backbone


def _shares(search):
    return [entry["kept_share"] for entry in search.trace.history]


def test_several_budgets_of_one_run_are_never_exceeded(searched):
    search, first, _ = searched
    assert first is search.assign(0.5)
    dense = first.dense_parameters
    before = 2.0
    for share in (0.5, 0.2, 0.1):
        masks = search.assign(share)
        assert masks.structure == "mask"
        assert masks.check(share) is masks
        assert 0 < masks.num_parameters <= share * dense
        assert masks.kept_share < before
        before = masks.kept_share
        # Taken at the first check at which it fits.
        shares = _shares(search)
        first = shares.index(masks.kept_share)
        assert min(shares[:first]) > share
    assert shares[-1] == masks.kept_share
    assert search.trace.steps < RECIPE.max_steps
    with pytest.raises(ValueError, match="`budget` must be one that"):
        search.assign(0.3)


def test_the_trace_counts_from_the_start(searched):
    search, _, _ = searched
    steps = [entry["step"] for entry in search.trace.history]
    assert steps == list(range(0, steps[-1] + 1, 5))
    assert _shares(search)[0] > 0.99


def test_retraining_starts_from_the_first_values(searched, data):
    search, masks, backbone = searched
    before = find_tables(light_gcn(data))
    for name, table in find_tables(search.model).items():
        np.testing.assert_array_equal(
            table_values(table), table_values(before[name])
        )
        np.testing.assert_array_equal(
            table_values(find_tables(backbone)[name]), table_values(table)
        )
    masked = apply_assignment(search.model, masks)
    for name, table in find_tables(masked).items():
        np.testing.assert_array_equal(
            table_values(table), table_values(before[name]) * masks.mask(name)
        )


def test_equal_seeds_give_equal_masks(data):
    def masks(seed):
        search = PEP(0.8, recipe=RECIPE, initial_threshold=-8, seed=seed)
        return search.fit(light_gcn(data), data), _shares(search)

    (one, trace), (two, again), (three, _) = (masks(s) for s in (0, 0, 1))
    assert trace == again
    for name in one.tables:
        np.testing.assert_array_equal(one.mask(name), two.mask(name))
    assert any((one.mask(n) != three.mask(n)).any() for n in one.tables)


def test_better_than_random_masks(searched, data):
    search, _, _ = searched
    masks = search.assign(0.1)
    ranking = FullRanking(data, "validation", (10,))

    def trained(assignment):
        masked = apply_assignment(search.model, assignment)
        record = PairwiseTrainer(masked, graph(data), RECIPE).fit(
            0, lambda model: ranking(model).metrics, monitor="ndcg@10"
        )
        return max(entry["ndcg@10"] for entry in record.history)

    random = np.random.default_rng(0)
    shuffled = SizeAssignment.from_masks(
        {
            name: random.permutation(masks.mask(name).ravel()).reshape(
                masks.mask(name).shape
            )
            for name in masks.tables
        }
    )
    assert trained(masks) > trained(shuffled)


@pytest.mark.parametrize("kind", [MatrixFactorization, NeuMF])
def test_leaves_biases_and_the_backbone_alone(kind, data):
    backbone = other(kind, data)
    before = backbone.get_weights()
    search = PEP(0.5, recipe=RECIPE, initial_threshold=-8)
    masks = search.fit(backbone, data)
    assert masks.kept_share <= 0.5
    assert set(masks.tables) == set(backbone.tables)
    for old, new in zip(before, backbone.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_budget_in_bytes_counts_the_index(data):
    backbone = light_gcn(data)
    search = PEP(Budget(num_bytes=6000), recipe=RECIPE, initial_threshold=-8)
    masks = search.fit(backbone, data)
    assert masks.memory_bytes() <= 6000
    assert masks.num_parameters * 4 < masks.memory_bytes()


def test_says_how_far_an_unfinished_search_came(data):
    search = PEP([1.0, 0.01], recipe=RECIPE, max_steps=20)
    with pytest.raises(RuntimeError, match="After 20 steps .*`max_steps`"):
        search.fit(light_gcn(data), data)
    assert search.assign(1.0).kept_share > 0.9
    with pytest.raises(ValueError, match="`budget` must be one that"):
        search.assign(0.01)


class Interrupted(Exception):
    pass


def test_an_interrupted_search_finds_the_same(searched, data, tmp_path):
    whole, _, _ = searched

    def interrupt_at(number):
        def on_epoch_end(epoch, logs):
            if epoch == number:
                raise Interrupted

        return [keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)]

    def search(**changes):
        return PEP([0.5, 0.2, 0.1], recipe=RECIPE, check_every=5, **changes)

    shares = _shares(whole)
    # One budget is found before, one between, one after the interruptions.
    first = 1 + shares.index(whole.assign(0.5).kept_share)
    second = 1 + shares.index(whole.assign(0.2).kept_share)
    kept = {"checkpoint_dir": tmp_path, "checkpoint_seconds": 0}
    for number in (first, second):
        with pytest.raises(Interrupted):
            search().fit(
                light_gcn(data), data, callbacks=interrupt_at(number), **kept
            )
    resumed = search()
    resumed.fit(light_gcn(data), data, **kept)
    assert _shares(resumed) == shares
    # What is done is read, not searched again.
    again = search()
    again.fit(light_gcn(data), data, callbacks=interrupt_at(1), **kept)
    for found in (resumed, again):
        for share in (0.5, 0.2, 0.1):
            assert found.assign(share).tables == whole.assign(share).tables
    with pytest.raises(ValueError, match="`checkpoint`.*initial_threshold"):
        search(initial_threshold=-8).fit(light_gcn(data), data, **kept)


def test_masks_of_another_search_are_not_taken_for_its_own(data, tmp_path):
    def search(seed):
        return PEP(
            0.8, recipe=RECIPE, initial_threshold=-8, check_every=5, seed=seed
        )

    def interrupt(epoch, logs):
        if epoch == 1:
            raise Interrupted

    told = [keras.callbacks.LambdaCallback(on_epoch_end=interrupt)]
    kept = {"checkpoint_dir": tmp_path, "checkpoint_seconds": 0}
    search(0).fit(light_gcn(data), data, **kept)
    (tmp_path / "pep.npz").unlink()
    with pytest.raises(Interrupted):
        search(1).fit(light_gcn(data), data, callbacks=told, **kept)
    resumed, whole = search(1), search(1)
    masks = resumed.fit(light_gcn(data), data, **kept)
    assert masks.tables == whole.fit(light_gcn(data), data).tables
    assert masks.origin["seed"] == 1
    assert _shares(resumed) == _shares(whole)


def test_a_search_ended_by_a_callback_says_so(data):
    class Stop(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            self.model.stop_training = True

    search = PEP(0.1, recipe=RECIPE, max_steps=40)
    with pytest.raises(RuntimeError, match="10 steps.*A callback has ended"):
        search.fit(light_gcn(data), data, callbacks=[Stop()])


def test_without_decay_the_thresholds_stay(data):
    search = PEP(0.5, recipe=RECIPE, weight_decay=0.0, max_steps=40)
    with pytest.raises(RuntimeError, match="`weight_decay`"):
        search.fit(light_gcn(data), data)


def test_refuses_wrong_arguments():
    for wrong in (
        {"budget": []},
        {"budget": 0.5, "check_every": 0},
        {"budget": 0.5, "granularity": "field"},
        {"budget": 0.5, "weight_decay": -1.0},
        {"budget": 1.5},
    ):
        with pytest.raises(ValueError, match="Received"):
            PEP(**wrong)
