import itertools

import numpy as np
import pytest

from keras_emb.search.autoemb import choose_sizes

DIMS = [1, 2, 5]


def _best(gain, limit):
    """The greatest sum of gains by brute force."""
    return max(
        sum(gain[row, n] for row, n in enumerate(choice))
        for choice in itertools.product(range(len(DIMS)), repeat=len(gain))
        if sum(DIMS[n] for n in choice) <= limit
    )


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("limit", [6, 9, 14, 30])
def test_close_to_the_best_choice_within_the_budget(seed, limit):
    rng = np.random.default_rng(seed)
    weights = rng.dirichlet(np.ones(3), size=6)
    importance = rng.random(6)
    sizes = choose_sizes(
        {"a": weights[:4], "b": weights[4:]},
        DIMS,
        limit,
        {"a": importance[:4], "b": importance[4:]},
    )
    chosen = np.concatenate([sizes["a"], sizes["b"]])
    assert chosen.sum() <= limit
    assert set(chosen) <= set(DIMS)
    gain = weights * importance[:, None]
    reached = gain[np.arange(6), np.searchsorted(DIMS, chosen)].sum()
    # Everett's choice misses the best by less than one row's gain.
    assert reached >= _best(gain, limit) - gain.max()
    if limit == 30:
        assert reached == pytest.approx(_best(gain, limit))


def test_important_rows_come_first():
    weights = {"a": np.tile([0.1, 0.2, 0.7], (4, 1))}
    sizes = choose_sizes(weights, DIMS, 8, {"a": [1.0, 1.0, 9.0, 1.0]})["a"]
    assert sizes[2] == 5
    assert sizes.sum() == 8


def test_a_budget_below_the_smallest_size_is_refused():
    with pytest.raises(ValueError, match="must allow the smallest size"):
        choose_sizes({"a": np.ones((4, 3))}, DIMS, 3)
