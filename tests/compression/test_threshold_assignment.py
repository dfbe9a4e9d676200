import itertools

import numpy as np
import pytest

from keras_emb.compression import Budget, threshold_assignment


def _tables(seed, ties=False):
    rng = np.random.default_rng(seed)
    tables = {
        name: rng.normal(size=(rng.integers(1, 150), rng.integers(1, 40)))
        for name in ("user", "item")
    }
    tables["item"] *= 3
    if ties:
        tables = {name: np.round(table) for name, table in tables.items()}
    return tables


@pytest.mark.parametrize("ties", [False, True])
@pytest.mark.parametrize("structure", ["mask", "prefix"])
@pytest.mark.parametrize("seed", range(6))
def test_meets_a_share_and_never_exceeds_it(seed, structure, ties):
    tables = _tables(seed, ties)
    total = sum(table.size for table in tables.values())
    for share in (1e-9, 0.05, 0.1, 1 / 3, 0.5, 1.0):
        assignment = threshold_assignment(tables, share, structure)
        assert assignment.structure == structure
        assert assignment.check(share).num_parameters == int(
            share * total + 1e-9
        )


@pytest.mark.parametrize("precision", ["float32", "float16"])
@pytest.mark.parametrize("structure", ["mask", "prefix"])
@pytest.mark.parametrize("seed", range(4))
def test_fills_bytes_and_never_exceeds_them(seed, structure, precision):
    tables = _tables(seed)
    full = threshold_assignment(tables, 1.0, structure).memory_bytes(precision)
    for share in (0.2, 0.5, 0.8):
        budget = Budget(num_bytes=int(share * full), precision=precision)
        assignment = threshold_assignment(tables, budget, structure)
        used = assignment.check(budget).memory_bytes(precision)
        # One more value costs at most itself, its column and a group.
        assert used > budget.num_bytes - 200
    assert threshold_assignment(tables, 10**9, structure).kept_share == 1.0


def test_mask_is_the_global_quantile():
    tables = _tables(0)
    magnitudes = np.concatenate([np.abs(t).ravel() for t in tables.values()])
    assignment = threshold_assignment(tables, 0.2)
    cut = np.sort(magnitudes)[-assignment.num_parameters]
    for name, table in tables.items():
        np.testing.assert_array_equal(
            assignment.mask(name), np.abs(table) >= cut
        )


def test_prefix_of_sorted_rows_has_as_many_entries_as_lie_above():
    tables = {
        name: -np.sort(-np.abs(table), axis=1)
        for name, table in _tables(0).items()
    }
    mask = threshold_assignment(tables, 0.2, "mask")
    prefix = threshold_assignment(tables, 0.2, "prefix")
    for name in tables:
        np.testing.assert_array_equal(mask.sizes(name), prefix.sizes(name))


@pytest.mark.parametrize("seed", range(5))
def test_prefixes_keep_the_most_energy_of_all_prefixes_as_many(seed):
    rng = np.random.default_rng(seed)
    tables = {name: rng.normal(size=(2, 4)) for name in "ab"}
    energies = [
        np.concatenate([[0], np.cumsum(row**2)])
        for table in tables.values()
        for row in table
    ]
    # The most that any sizes with a sum of n keep, by brute force.
    most = np.zeros(17)
    for sizes in itertools.product(range(5), repeat=4):
        kept = sum(e[d] for e, d in zip(energies, sizes, strict=True))
        most[sum(sizes)] = max(most[sum(sizes)], kept)
    # Between two corners of the frontier a row's step is not taken whole.
    corners = 0
    for count in range(1, 17):
        found = threshold_assignment(tables, count / 16, "prefix")
        assert found.num_parameters == count
        kept = sum(
            (table[found.mask(name)] ** 2).sum()
            for name, table in tables.items()
        )
        if _on_hull(most, count):
            corners += 1
            assert kept == pytest.approx(most[count])
        assert kept <= most[count] + 1e-9
    assert corners >= 4


def _on_hull(most, count):
    """Whether no mix of two other totals keeps more at this one."""
    return all(
        most[count]
        >= most[a] + (most[b] - most[a]) * (count - a) / (b - a) - 1e-12
        for a in range(count)
        for b in range(count + 1, len(most))
    )


def test_weights_decide_beside_sizes():
    table = np.array([[3.0, 1.0], [2.0, 2.5]])
    weights = np.array([[1.0, 1.0], [1.0, 4.0]])
    found = threshold_assignment({"a": table}, 0.25, weights={"a": weights})
    assert found.mask("a").tolist() == [[False, False], [False, True]]
    for wrong in (weights[:1], weights * np.nan, -weights):
        with pytest.raises(ValueError, match="`weights` must hold"):
            threshold_assignment({"a": table}, 0.25, weights={"a": wrong})
    with pytest.raises(ValueError, match="`weights` must hold"):
        threshold_assignment({"a": table}, 0.25, weights={"b": weights})


def test_ties_are_broken_by_order():
    tables = {"a": np.ones((2, 3)), "b": -np.ones((2, 2))}
    assignment = threshold_assignment(tables, 0.7)
    np.testing.assert_array_equal(assignment.mask("a"), np.ones((2, 3)))
    np.testing.assert_array_equal(assignment.mask("b"), [[1, 0], [0, 0]])


def test_zero_rows_go_first():
    table = np.vstack([np.zeros((3, 4)), np.ones((3, 4))])
    assignment = threshold_assignment({"a": table}, 0.5, "prefix")
    np.testing.assert_array_equal(assignment.sizes("a"), [0, 0, 0, 4, 4, 4])


def test_refuses_what_it_cannot_rank():
    table = np.ones((3, 4))
    with pytest.raises(ValueError, match="`structure` must be"):
        threshold_assignment({"a": table}, 0.5, "rows")
    with pytest.raises(ValueError, match="`tables` must hold floats"):
        threshold_assignment({"a": np.ones((3, 4), int)}, 0.5)
    with pytest.raises(ValueError, match="`tables` must hold floats"):
        threshold_assignment({"a": np.ones(4)}, 0.5)
    with pytest.raises(ValueError, match="`tables` must be finite"):
        threshold_assignment({"a": table * np.nan}, 0.5)
    with pytest.raises(ValueError, match="bytes of an empty assignment"):
        threshold_assignment({"a": table}, 5)
