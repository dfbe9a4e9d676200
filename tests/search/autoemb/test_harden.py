import keras
import numpy as np
import pytest

from keras_emb.compression import (
    SizeAssignment,
    compact,
    memory_report,
)
from keras_emb.layers import ProjectedEmbedding, find_tables
from keras_emb.search.autoemb import add_candidates, harden
from keras_emb.search.autoemb.harden import principal_table
from keras_emb.training import apply_assignment
from keras_emb.zoo import StreamingDLRS

ROWS = {"user": 30, "item": 20}


def _soft(seen=True):
    keras.utils.set_random_seed(0)
    backbone = StreamingDLRS.from_sizes(
        users=ROWS["user"],
        items=ROWS["item"],
        embedding_dim=8,
        hidden_units=16,
    )
    model = add_candidates(backbone, [2, 4, 8], initializer="random_normal")
    rng = np.random.default_rng(0)
    for name, table in model.tables.items():
        if seen:
            ids = rng.zipf(1.5, 200) % ROWS[name]
            table.observe(ids.astype("int32"))
        # As after training: the statistics are no longer those of a start.
        moving = table.candidates.normalization.moving_mean
        moving.assign(rng.normal(size=moving.shape) * 0.1)
    return model


def _pairs():
    users, items = np.meshgrid(*map(np.arange, ROWS.values()))
    return {
        "user": users.ravel().astype("int32"),
        "item": items.ravel().astype("int32"),
    }


@pytest.mark.parametrize("rank", [5, 2, 1, 0])
@pytest.mark.parametrize("counts", ["some", "none"])
def test_principal_table_is_exact_and_cuts_best(rank, counts):
    rng = np.random.default_rng(0)
    values = rng.normal(size=(40, rank)) @ rng.normal(size=(rank, 5)) + 3.0
    popularity = rng.zipf(1.5, 40) if counts == "some" else np.zeros(40)
    rows, kernel, bias = principal_table(values, popularity)
    np.testing.assert_allclose(rows @ kernel + bias, values, atol=1e-5)
    shares = (
        popularity / popularity.sum()
        if popularity.any()
        else np.full(40, 1 / 40)
    )
    np.testing.assert_allclose(bias, shares @ values, atol=1e-5)
    root = np.sqrt(shares)[:, None]
    singular = np.linalg.svd(root * (values - shares @ values))[1]
    for kept in range(6):
        cut = rows[:, :kept] @ kernel[:kept] + bias
        error = shares @ ((cut - values) ** 2).sum(axis=1)
        # Eckart and Young: no map of this rank comes closer.
        np.testing.assert_allclose(
            error, (singular[kept:] ** 2).sum(), atol=1e-5, rtol=1e-4
        )


@pytest.mark.parametrize("seen", [True, False])
def test_hardening_changes_no_prediction(seen):
    soft = _soft(seen)
    before = [w.numpy() for w in soft.weights]
    hard = harden(soft)
    assert all(
        isinstance(table, ProjectedEmbedding)
        for table in find_tables(hard).values()
    )
    np.testing.assert_allclose(hard(_pairs()), soft(_pairs()), rtol=1e-5)
    for weight, value in zip(soft.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_rows_keep_the_scale_of_the_candidates():
    soft = _soft()
    for name, table in find_tables(harden(soft)).items():
        rows = table.table.embeddings.numpy()
        candidates = soft.tables[name].candidates.embeddings.numpy()
        np.testing.assert_allclose(
            np.sqrt(np.mean(rows**2)),
            np.sqrt(np.mean(candidates**2)),
            rtol=1e-4,
        )


@pytest.mark.parametrize("row_order", ["keep", "fold"])
def test_cut_and_compact(row_order):
    hard = harden(_soft())
    rng = np.random.default_rng(1)
    assignment = SizeAssignment.from_sizes(
        {n: rng.choice([2, 4, 8], rows) for n, rows in ROWS.items()}, 8
    )
    masked = apply_assignment(hard, assignment)
    small, report = compact(masked, assignment, row_order=row_order)
    pairs = _pairs()
    expected = np.asarray(masked(pairs))
    renumbered = {
        name: np.argsort(report.feature_orders[name])[ids].astype("int32")
        if row_order == "fold"
        else ids
        for name, ids in pairs.items()
    }
    np.testing.assert_allclose(small(renumbered), expected, rtol=1e-6)
    memory = memory_report(small)
    assert memory.projections == 2 * (8 * 8 + 8) * 4
    assert memory.values == 4 * assignment.num_parameters
    assert memory.total == sum(w.numpy().nbytes for w in small.weights)
    assert memory.total == (
        memory.values + memory.index + memory.projections + memory.dense_layers
    )


def test_a_model_without_mixed_tables_is_refused():
    model = StreamingDLRS.from_sizes(users=3, items=3, embedding_dim=2)
    with pytest.raises(ValueError, match="must hold SoftSizeEmbedding"):
        harden(model)
