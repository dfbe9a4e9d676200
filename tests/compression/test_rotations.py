import numpy as np
import pytest

from keras_emb.compression.rotations import (
    balanced_rotation,
    popularity_shares,
    principal_rotation,
    second_moment,
)

ROWS = {"user": 40, "item": 30}


def random_tables(rng, dim=6, rank=None):
    """Two tables, of full rank or less, and popularity of their rows."""
    tables, shares = [], []
    for rows in ROWS.values():
        values = rng.normal(size=(rows, dim)) @ rng.normal(size=(dim, dim))
        if rank is not None:
            values = values[:, :rank] @ rng.normal(size=(rank, dim))
        tables.append(values)
        shares.append(popularity_shares(rng.zipf(1.5, size=rows) % 1000 + 1))
    return *tables, *shares


class TestMaths:
    def test_shares_sum_to_one(self):
        np.testing.assert_allclose(popularity_shares([1, 3]), [0.25, 0.75])
        np.testing.assert_allclose(popularity_shares([0, 0]), [0.5, 0.5])

    def test_second_moment_is_the_weighted_sum_of_outer_products(self):
        rng = np.random.default_rng(0)
        values, weights = rng.normal(size=(5, 3)), rng.random(5)
        expected = sum(
            weight * np.outer(row, row)
            for row, weight in zip(values, weights, strict=True)
        )
        np.testing.assert_allclose(second_moment(values, weights), expected)

    def test_balanced_rotation_keeps_products(self):
        p, q, dp, dq = random_tables(np.random.default_rng(0))
        a, b = balanced_rotation(second_moment(p, dp), second_moment(q, dq))
        np.testing.assert_allclose(a @ b.T, np.eye(6), atol=1e-10)
        np.testing.assert_allclose((p @ a) @ (q @ b).T, p @ q.T, rtol=1e-8)

    def test_balanced_second_moments_are_one_diagonal(self):
        p, q, dp, dq = random_tables(np.random.default_rng(1))
        a, b = balanced_rotation(second_moment(p, dp), second_moment(q, dq))
        left, right = second_moment(p @ a, dp), second_moment(q @ b, dq)
        singular = np.linalg.svd(
            np.sqrt(dp)[:, None] * (p @ q.T) * np.sqrt(dq), compute_uv=False
        )
        np.testing.assert_allclose(left, np.diag(singular[:6]), atol=1e-8)
        np.testing.assert_allclose(right, np.diag(singular[:6]), atol=1e-8)

    @pytest.mark.parametrize("width", [1, 3, 5])
    def test_leading_coordinates_are_the_best_predictor(self, width):
        p, q, dp, dq = random_tables(np.random.default_rng(2))
        a, b = balanced_rotation(second_moment(p, dp), second_moment(q, dq))
        cut = (p @ a)[:, :width] @ (q @ b)[:, :width].T
        weight = np.sqrt(dp)[:, None] * np.sqrt(dq)
        u, s, vt = np.linalg.svd(weight * (p @ q.T), full_matrices=False)
        best = (u[:, :width] * s[:width]) @ vt[:width]
        np.testing.assert_allclose(weight * cut, best, atol=1e-9)

    @pytest.mark.parametrize("rank", [0, 1, 3])
    def test_balanced_rotation_of_tables_without_full_rank(self, rank):
        p, q, dp, dq = random_tables(np.random.default_rng(3), rank=rank)
        a, b = balanced_rotation(second_moment(p, dp), second_moment(q, dq))
        assert np.isfinite(a).all() and np.isfinite(b).all()
        np.testing.assert_allclose(a @ b.T, np.eye(6), atol=1e-9)
        energies = np.diag(second_moment(p @ a, dp))
        assert energies[rank:].sum() <= 1e-4 * energies.sum()

    def test_principal_rotation_is_orthogonal_and_sorted(self):
        values, _, shares, _ = random_tables(np.random.default_rng(4))
        rotation = principal_rotation(second_moment(values, shares))
        np.testing.assert_allclose(rotation @ rotation.T, np.eye(6), atol=1e-12)
        moment = second_moment(values @ rotation, shares)
        energies = np.diag(moment)
        assert (np.diff(energies) <= 0).all()
        np.testing.assert_allclose(moment, np.diag(energies), atol=1e-8)
