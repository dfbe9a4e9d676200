import keras
import numpy as np
import pytest

from keras_emb.compression import SizeAssignment, threshold_assignment
from keras_emb.datasets import Interactions, synthetic
from keras_emb.layers import MaskedEmbedding
from keras_emb.training import (
    TrainingRecipe,
    apply_assignment,
    cubic_schedule,
    prune_gradually,
    retrain,
)
from keras_emb.zoo import MLP

RECIPE = TrainingRecipe(learning_rate=0.02, batch_size=256, max_epochs=2)


@pytest.fixture(scope="module")
def data():
    planted = synthetic(num_users=60, num_items=50, num_ratings=1400)
    return Interactions.from_ratings(planted.ratings, "random")


@pytest.fixture
def model(data):
    keras.utils.set_random_seed(0)
    return MLP.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=4,
    )


def values(model):
    return {name: table.values() for name, table in model.tables.items()}


@pytest.mark.parametrize("structure", ["prefix", "mask"])
@pytest.mark.parametrize("start", ["pruned", "scratch"])
def test_retraining_holds_the_sizes(data, model, structure, start):
    sizes = threshold_assignment(values(model), 0.4, structure)
    trained, record = retrain(model, sizes, data, RECIPE, start=start)
    assert record.steps > 0 and record.best_epoch > 0
    for name, table in trained.tables.items():
        assert isinstance(table, MaskedEmbedding)
        live = sizes.mask(name)
        assert not table.values()[~live].any()
        before = model.tables[name].values()
        moved = np.abs(table.values() - before)[live]
        assert moved.mean() > 1e-3
        # Glorot's values are small: a few steps do not hide their origin.
        origin = np.corrcoef(table.values()[live], before[live])[0, 1]
        assert (origin > 0.5) == (start == "pruned")


def test_an_assignment_of_other_tables_is_refused(model):
    sizes = SizeAssignment.uniform({"visitor": (5, 4)}, 2)
    with pytest.raises(ValueError, match="visitor"):
        apply_assignment(model, sizes)


def test_schedule_against_the_formula():
    found = cubic_schedule(0.1, 4)
    expected = [0.1 + 0.9 * (1 - r / 4) ** 3 for r in (1, 2, 3, 4)]
    np.testing.assert_allclose(found, expected)
    assert found[-1] == pytest.approx(0.1)


def test_a_state_of_other_sizes_is_refused(data, model, tmp_path):
    path = tmp_path / "state.npz"
    wide, narrow = (
        threshold_assignment(values(model), share) for share in (0.4, 0.2)
    )
    retrain(model, wide, data, RECIPE, checkpoint=path)
    with pytest.raises(ValueError, match=r"state\.npz.*'parameters'"):
        retrain(model, narrow, data, RECIPE, checkpoint=path)


def test_pruning_takes_at_least_one_round(data, model):
    with pytest.raises(ValueError, match="`rounds` must be at least 1"):
        prune_gradually(model, 0.2, data, RECIPE, rounds=0)


@pytest.mark.parametrize("budget", [0.2, 700])
def test_gradual_pruning_meets_its_budget(data, model, budget):
    sizes, pruned = prune_gradually(model, budget, data, RECIPE, rounds=3)
    sizes.check(budget)
    assert all(isinstance(t, MaskedEmbedding) for t in pruned.tables.values())
    # What an earlier round has cut stays cut.
    for name, table in pruned.tables.items():
        assert not (sizes.mask(name) & (table.values() == 0)).any()
