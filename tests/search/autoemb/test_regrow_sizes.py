import numpy as np
import pytest

from keras_emb.search.autoemb import regrow_sizes

DIMS = [1, 2, 5]


def _one_by_one(sizes, wanted, popularity, last_seen, limit, since, shrink_to):
    """The same rule, a coordinate of memory at a time."""
    new = list(sizes)
    by_popularity = sorted(range(len(new)), key=lambda i: -popularity[i])
    by_age = sorted(range(len(new)), key=lambda i: last_seen[i])
    for row in by_popularity:
        if last_seen[row] < since or wanted[row] <= sizes[row]:
            continue
        trial = list(new)
        trial[row] = wanted[row]
        for idle in by_age:
            if sum(trial) <= limit:
                break
            if last_seen[idle] < since and trial[idle] > shrink_to:
                trial[idle] = shrink_to
        if sum(trial) <= limit:
            new = trial
    return new


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("shrink_to", [1, 5])
def test_the_rule_row_by_row(seed, shrink_to):
    rng = np.random.default_rng(seed)
    rows = {"a": 7, "b": 5}
    sizes, wanted = (
        {n: rng.choice(DIMS, k) for n, k in rows.items()} for _ in range(2)
    )
    popularity = {n: rng.random(k) for n, k in rows.items()}
    ages = rng.permutation(12)
    last_seen = {"a": ages[:7], "b": ages[7:]}
    spent = sum(int(s.sum()) for s in sizes.values())
    for limit in (spent, spent + 3, spent + 12):
        new = regrow_sizes(
            sizes,
            wanted,
            popularity,
            last_seen,
            limit,
            since=6,
            shrink_to=shrink_to,
        )
        expected = _one_by_one(
            *(
                np.concatenate([values["a"], values["b"]]).tolist()
                for values in (sizes, wanted, popularity, last_seen)
            ),
            limit,
            6,
            shrink_to,
        )
        assert [*new["a"], *new["b"]] == expected
        assert sum(expected) <= limit


def test_sizes_above_the_budget_stay_or_come_within_it():
    case = {
        "wanted": {"a": [5, 5, 5]},
        "popularity": {"a": [1, 1, 1]},
        "since": 1,
        "shrink_to": 1,
    }
    seen = {"a": [0, 0, 1]}
    sizes = {"a": [5, 5, 1]}
    assert regrow_sizes(sizes, last_seen=seen, num_parameters=7, **case)[
        "a"
    ].tolist() == [1, 1, 5]
    assert regrow_sizes(sizes, last_seen=seen, num_parameters=6, **case)[
        "a"
    ].tolist() == [5, 5, 1]
