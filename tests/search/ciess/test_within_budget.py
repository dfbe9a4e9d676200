import numpy as np
import pytest

from keras_emb.compression import Budget, SizeAssignment
from keras_emb.search.ciess import Candidate, SizeSpace
from keras_emb.search.ciess.within_budget import (
    average_candidate,
    best_candidates,
    equalized_candidates,
    shrink,
)

ROWS = {"user": 300, "item": 200}


def _space(d_max=64, tables=None):
    return SizeSpace(ROWS, tables or {side: side for side in ROWS}, d_max)


SPACE = _space()


def _candidate(mean, quality, seed=0):
    random = np.random.default_rng(seed)
    return Candidate(
        {
            side: random.integers(1, 2 * mean, rows)
            for side, rows in ROWS.items()
        },
        quality,
        0.0,
    )


def _share(candidate):
    return candidate.mean_size / 64


def test_the_best_within_the_budget_come_first():
    record = [
        _candidate(mean, quality, seed)
        for seed, (mean, quality) in enumerate(
            [(30, 0.9), (12, 0.5), (6, 0.4), (11, 0.6), (12, 0.55), (3, 0.1)]
        )
    ]
    found = best_candidates(record, SPACE, Budget.of(0.2), count=3)
    assert [c.quality for c in found] == [0.6, 0.55, 0.5]
    assert all(_share(c) <= 0.2 for c in found)
    tight = best_candidates(record, SPACE, Budget.of(0.1), count=3)
    assert [c.quality for c in tight] == [0.4, 0.1]


def test_equal_sizes_count_once_with_their_best_quality():
    first, again = _candidate(5, 0.3, 1), _candidate(5, 0.7, 1)
    other = _candidate(5, 0.5, 2)
    record = [first, other, again]
    found = best_candidates(record, SPACE, Budget.of(0.5), count=3)
    assert [c.quality for c in found] == [0.7, 0.5]


def test_without_any_within_the_budget_the_near_ones_are_shrunk():
    record = [_candidate(mean, 0.5, mean) for mean in (30, 20, 12)]
    found = best_candidates(record, SPACE, Budget.of(0.05), count=1)
    (small,) = found
    total = sum(int(s.sum()) for s in small.sizes.values())
    assert total == int(0.05 * 64 * 500)
    wish = np.concatenate(list(record[2].sizes.values()))
    sizes = np.concatenate(list(small.sizes.values()))
    assert sizes.min() >= 1
    scale = sizes[sizes > 2].sum() / wish[sizes > 2].sum()
    np.testing.assert_allclose(sizes, np.maximum(scale * wish, 1), atol=1.01)


@pytest.mark.parametrize("num_bytes", [2_900, 10_000, 40_000])
def test_bytes_count_the_index_and_are_used(num_bytes):
    budget = Budget.of(num_bytes)
    small = shrink(_candidate(30, 0.5), SPACE, budget)
    sizes = SizeAssignment.from_sizes(small.sizes, 64)
    assert sizes.memory_bytes() <= num_bytes
    assert sizes.memory_bytes() > 0.9 * num_bytes


def test_a_budget_below_a_coordinate_a_row_is_impossible():
    SPACE.check_reachable(Budget.of(1 / 64))
    with pytest.raises(ValueError, match="`budget`.*0.01562.*Received"):
        SPACE.check_reachable(Budget.of(0.015))
    with pytest.raises(ValueError, match="`budget`.*bytes"):
        SPACE.check_reachable(Budget.of(1_000))


def test_to_fit_is_to_pass_the_assignments_own_check():
    space = SizeSpace({"user": 3}, {"user": "user"}, d_max=4)
    sizes = {"user": np.array([1, 1, 2])}
    assert space.fits(sizes, Budget.of(4 / 12))
    assert not space.fits(sizes, Budget.of(3 / 12))


@pytest.mark.parametrize("budget", [0.2, 9_000])
def test_every_table_of_an_entity_counts(budget):
    space = _space(tables={"a": "user", "b": "user", "c": "item"})
    record = [_candidate(20, 0.5, seed) for seed in range(4)]
    for candidate in (
        average_candidate(record, space, Budget.of(budget), count=3),
        shrink(record[0], space, Budget.of(budget)),
        *equalized_candidates(record[0], space, Budget.of(budget)),
    ):
        assignment = space.assignment(candidate.sizes).check(budget)
        np.testing.assert_array_equal(
            assignment.sizes("a"), assignment.sizes("b")
        )
        # What is left over is less than a coordinate a user.
        larger = {**candidate.sizes, "user": candidate.sizes["user"] + 1}
        assert not space.fits(larger, Budget.of(budget))


def test_the_average_recovers_what_exploration_blurs():
    random = np.random.default_rng(0)
    truth = {side: random.integers(2, 20, rows) for side, rows in ROWS.items()}

    def noisy(seed):
        noise = np.random.default_rng(seed)
        sizes = {
            side: np.clip(size + noise.integers(-5, 6, len(size)), 1, 64)
            for side, size in truth.items()
        }
        return Candidate(sizes, 0.5 + seed / 100, 0.0)

    record = [noisy(seed) for seed in range(12)]
    share = _share(Candidate(truth, 1.0, 0.0))
    average = average_candidate(record, SPACE, Budget.of(share), count=12)

    def error(candidate):
        return np.mean(
            [
                np.abs(candidate.sizes[side] - truth[side]).mean()
                for side in ROWS
            ]
        )

    assert _share(average) <= share
    assert error(average) < 0.5 * min(error(c) for c in record)


@pytest.mark.parametrize("d_max", [48, 60, 64, 100])
@pytest.mark.parametrize("num_bytes", [2_300, 2_900])
def test_an_average_within_few_bytes_leaves_no_row_empty(d_max, num_bytes):
    budget = Budget(num_bytes=num_bytes)
    space = _space(d_max)
    space.check_reachable(budget)
    record = [_candidate(6, 0.5, seed) for seed in range(4)]
    sizes = average_candidate(record, space, budget, count=3).sizes
    assert min(rows.min() for rows in sizes.values()) >= 1
    assert space.fits(sizes, budget)


def test_the_average_takes_the_best_near_the_budget():
    far = [_candidate(40, 1.0, seed) for seed in range(3)]
    near = [_candidate(6, 0.1 * seed, seed) for seed in range(5)]
    budget = Budget.of(0.1)
    average = average_candidate(far + near, SPACE, budget, count=2)
    assert average.quality == pytest.approx(0.35)
    assert average.sizes["user"].min() >= 1
    # Nothing is near: the nearest stand in.
    average = average_candidate(far, SPACE, budget, count=2)
    assert average.quality == 1.0
    assert SPACE.fits(average.sizes, budget)
    small = Budget(num_bytes=6_000)
    average = average_candidate(far + near, SPACE, small, count=2)
    assert SPACE.fits(average.sizes, small)


def test_sizes_are_drawn_towards_one_for_all():
    candidate = _candidate(20, 0.5)
    wish = np.concatenate(list(candidate.sizes.values()))
    found = equalized_candidates(candidate, SPACE, Budget.of(0.2))
    spreads = []
    for other in found:
        sizes = np.concatenate([other.sizes[side] for side in ROWS])
        assert sizes.sum() == int(0.2 * 64 * 500)
        assert (other.quality, other.score) == (0.5, 0.0)
        # Who was larger stays so, but for what rounding makes of it.
        order = np.argsort(wish, kind="stable")
        assert (np.diff(sizes[order]) >= -1).all()
        spreads.append(sizes.std())
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] < wish.std() and spreads[-1] < 0.5
