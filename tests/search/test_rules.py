import numpy as np
import pytest

from keras_emb.compression import Budget
from keras_emb.datasets import Interactions, synthetic
from keras_emb.search import (
    BudgetedRandom,
    MagnitudePruning,
    MixedRandom,
    PowerRule,
    RandomBlocks,
    Uniform,
)
from keras_emb.search.rules import scaled_sizes
from keras_emb.zoo import MatrixFactorization, NeuMF

SHARES = (0.5, 0.2, 0.1, 0.05)


@pytest.fixture(scope="module")
def data():
    planted = synthetic(num_users=80, num_items=60, num_ratings=2200)
    return Interactions.from_ratings(planted.ratings, "random")


@pytest.fixture(scope="module", params=[MatrixFactorization, NeuMF])
def model(request, data):
    model = request.param.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=100,
    )
    random = np.random.default_rng(0)
    model.set_weights([random.normal(size=w.shape) for w in model.weights])
    return model


@pytest.mark.parametrize("share", SHARES)
@pytest.mark.parametrize(
    "rule", [PowerRule, RandomBlocks, MagnitudePruning, Uniform]
)
def test_the_budget_holds_and_is_used(data, model, rule, share):
    sizes = rule(share).fit(model, data)
    assert sizes.check(share).kept_share <= share
    if rule is not Uniform:
        assert sizes.kept_share > 0.98 * share


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize(
    "rule", [PowerRule, RandomBlocks, MagnitudePruning, Uniform]
)
def test_a_budget_in_bytes_holds_and_is_used(data, model, rule, precision):
    budget = Budget(num_bytes=12_000, precision=precision)
    sizes = rule(budget).fit(model, data).check(budget)
    used = sizes.memory_bytes(precision)
    # A coordinate more of every row costs Uniform this much.
    rows = sum(table.rows for table in sizes.tables.values())
    spare = 2 * rows * 4 if rule is Uniform else 300
    assert used > budget.num_bytes - spare


@pytest.mark.parametrize("rule", [PowerRule, RandomBlocks])
def test_popular_rows_are_no_narrower(data, model, rule):
    sizes = rule(0.3).fit(model, data)
    for name, table in model.tables.items():
        popularity = data.popularity[model.table_features[name]]
        order = np.argsort(-popularity, kind="stable")
        found = sizes.sizes(name)[order]
        # The coordinate that rounding left over may go to any row.
        assert (np.diff(found) <= 1).all()
        assert found[0] > found[-1]
        assert found.max() <= table.output_dim


def test_power_rule_against_the_formula(data):
    model = MatrixFactorization.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=200,
    )
    sizes = PowerRule(0.2, exponent=0.5).fit(model, data)
    popularity = np.concatenate(list(data.popularity.values()))
    found = np.concatenate([sizes.sizes(name) for name in model.tables])
    wish = np.maximum(popularity, 1) ** 0.5
    inside = (found > 1) & (found < 200)
    scale = found[inside].sum() / wish[inside].sum()
    np.testing.assert_allclose(found[inside], scale * wish[inside], atol=1.5)


def test_zero_exponent_is_uniform(data, model):
    sizes = PowerRule(0.2, exponent=0.0).fit(model, data)
    for name, table in model.tables.items():
        width = int(0.2 * table.output_dim)
        assert np.abs(sizes.sizes(name) - width).max() <= 1


def test_uniform_rounds_down(data, model):
    sizes = Uniform(0.19).fit(model, data)
    for name, table in model.tables.items():
        assert set(sizes.sizes(name)) == {int(0.19 * table.output_dim)}


def test_magnitude_keeps_the_largest(data, model):
    sizes = MagnitudePruning(0.25, align=False).fit(model, data)
    values = [np.abs(t.values()).ravel() for t in model.tables.values()]
    masks = [sizes.mask(name).ravel() for name in model.tables]
    values, masks = np.concatenate(values), np.concatenate(masks)
    assert values[masks].min() >= values[~masks].max()
    assert masks.sum() == int(0.25 * masks.size)


def test_draws_differ_by_seed(data, model):
    first, second = (
        RandomBlocks(0.2, seed=seed).fit(model, data) for seed in (0, 1)
    )
    again = RandomBlocks(0.2, seed=0).fit(model, data)
    names = list(model.tables)
    assert any((first.sizes(n) != second.sizes(n)).any() for n in names)
    assert all((first.sizes(n) == again.sizes(n)).all() for n in names)


@pytest.mark.parametrize("seed", range(20))
def test_scaled_sizes_use_all_there_is(seed):
    random = np.random.default_rng(seed)
    rows = random.integers(1, 50, 2)
    weights = {
        n: random.exponential(size=r) + 1e-9
        for n, r in zip("ab", rows, strict=True)
    }
    dims = dict(zip("ab", random.integers(1, 40, 2).tolist(), strict=True))
    share = random.uniform(0.01, 1)
    sizes = scaled_sizes(weights, dims, share)
    allowed = int(share * rows @ list(dims.values()))
    assert sizes.num_parameters == allowed


def test_an_exponent_out_of_range_is_refused():
    with pytest.raises(ValueError, match="exponent"):
        PowerRule(0.1, exponent=1.5)


@pytest.mark.parametrize("rule", [MixedRandom, BudgetedRandom])
def test_random_sizes_hold_the_budget_and_differ_by_seed(rule, data):
    model = MatrixFactorization.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=32,
    )
    for share in (0.5, 0.1):
        sizes = rule(share, seed=1).fit(model, data)
        total = sum(t.rows * t.output_dim for t in sizes.tables.values())
        assert share * total - 1 < sizes.num_parameters <= share * total
        assert sizes.sizes("user").min() >= 1
        again = rule(share, seed=1).fit(model, data)
        np.testing.assert_array_equal(sizes.sizes("user"), again.sizes("user"))
        other = rule(share, seed=2).fit(model, data)
        assert (sizes.sizes("user") != other.sizes("user")).any()


def test_mixed_random_sizes_know_nothing_of_popularity(data):
    model = MatrixFactorization.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=32,
    )
    sizes = MixedRandom(0.25, seed=0).fit(model, data).sizes("user")
    assert abs(np.corrcoef(sizes, data.popularity["user"])[0, 1]) < 0.4
    assert sizes.max() <= 17


@pytest.mark.parametrize("budget", [0.25, Budget(num_bytes=127_000)])
def test_mixed_random_sizes_are_uniform_up_to_twice_their_mean(budget):
    planted = synthetic(num_users=2500, num_items=1500, num_ratings=20_000)
    data = Interactions.from_ratings(planted.ratings, "random")
    model = MatrixFactorization.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=32,
    )
    sizes = MixedRandom(budget, seed=0).fit(model, data).check(budget)
    sizes = np.concatenate([sizes.sizes("user"), sizes.sizes("item")])
    most = int(2 * sizes.mean() - 0.5)
    counts = np.bincount(sizes)
    assert counts[0] == 0
    # Rounding to the budget moves a few rows by a coordinate.
    assert len(counts) <= most + 3
    expected = len(sizes) / most
    np.testing.assert_allclose(counts[1:most], expected, rtol=0.4)


def test_budgeted_random_sizes_never_fall_with_popularity(data):
    model = MatrixFactorization.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=32,
    )
    for seed in range(6):
        assignment = BudgetedRandom(0.2, seed=seed).fit(model, data)
        for side in ("user", "item"):
            order = np.argsort(data.popularity[side], kind="stable")
            steps = np.diff(assignment.sizes(side)[order])
            # Rounding may move a single coordinate.
            assert steps.min() >= -1
