import numpy as np
import pytest

from keras_emb.compression import align, entry_weights, threshold_assignment
from keras_emb.compression.popularity_weights import popularity_weights
from keras_emb.zoo import MatrixFactorization


def test_weights_are_those_of_a_row_times_those_of_a_coordinate():
    rng = np.random.default_rng(0)
    tables = {"user": rng.normal(size=(4, 3)), "item": rng.normal(size=(2, 3))}
    counts = {"user": np.array([0, 1, 5, 9]), "item": np.array([7, 8])}
    found = entry_weights(tables, counts, power=0.5, aligned=True)
    for name, table in tables.items():
        rows = popularity_weights(counts[name], 0.5)
        for i, k in np.ndindex(*table.shape):
            mean = (counts[name] * table[:, k] ** 2).sum() / counts[name].sum()
            assert found[name][i, k] == pytest.approx(rows[i] * mean**0.5)


def test_plain_entries_weigh_the_same():
    tables = {"user": np.arange(6.0).reshape(3, 2)}
    found = entry_weights(tables, {"user": np.array([1, 5, 9])})
    np.testing.assert_array_equal(found["user"], np.ones((3, 2)))


def test_weighed_cuts_cost_less_in_an_aligned_model():
    rng = np.random.default_rng(1)
    users, items, width = 60, 40, 8
    model = MatrixFactorization.from_sizes(
        users=users, items=items, embedding_dim=width
    )
    counts = {"user": np.ones(users), "item": np.ones(items)}
    # The coordinates of a trained model differ in energy.
    energy = 0.6 ** np.arange(width)
    for name, rows in (("user", users), ("item", items)):
        mixed = rng.normal(size=(rows, width)) * energy
        model.tables[name].embeddings.assign(
            mixed @ np.linalg.qr(rng.normal(size=(width, width)))[0]
        )
    aligned = align(model, counts)
    tables = {name: aligned.tables[name].values() for name in counts}
    whole = tables["user"] @ tables["item"].T
    errors = {}
    for weighed in (False, True):
        weights = entry_weights(tables, counts, aligned=weighed)
        cut = threshold_assignment(tables, 0.25, weights=weights)
        user, item = (t * cut.mask(name) for name, t in tables.items())
        errors[weighed] = ((user @ item.T - whole) ** 2).mean()
    assert errors[True] < 0.9 * errors[False]
