"""What tuning may try, method by method."""

from collections.abc import Mapping
from typing import Any

__all__ = ["check_trial", "method_trials"]

_SCRATCH_RATES = (1.0, 0.3)
# What has a default where it is not said.
_OPTIONAL = {"threshold_power"}
_FINE_TUNING = (
    {"learning_rate": 0.1, "rounds": 1},
    {"learning_rate": 0.1, "rounds": 5},
    {"learning_rate": 1.0, "rounds": 5},
    {"learning_rate": 1.0, "rounds": 1},
)


def method_trials(method: str, count: int) -> list[dict[str, Any]]:
    """Settings to choose from on validation, the same number for all.

    Learning rates are multiples of the recipe's, that of the search
    included, widths multiples of what the budget allows; `search` says where
    a search differs from the experiment's; `rounds` are rounds of pruning,
    see `prune_gradually`; `threshold_power` weighs rows by
    popularity, see `entry_weights`; `start` says what sizes are retrained
    from, see `retrain`.

    >>> method_trials("power_rule", 2)
    [{'exponent': 0.25}, {'exponent': 0.5}]

    Args:
        method: Name of a method.
        count: Number of trials, at most 4.

    Returns:
        One mapping a trial.

    Raises:
        ValueError: If more trials are asked for than there are.
    """
    grids: dict[str, list[dict[str, Any]]] = {
        "dense": [{"learning_rate": rate} for rate in (1.0, 0.3, 3.0, 0.1)],
        "uniform": [
            {"width": width, "learning_rate": rate}
            for rate in _SCRATCH_RATES
            for width in (1.0, 0.5)
        ],
        "truncated_uniform": [
            {"width": width, "learning_rate": rate}
            for rate in (0.1, 1.0)
            for width in (1.0, 0.5)
        ],
        "power_rule": [{"exponent": e} for e in (0.25, 0.5, 0.75, 1.0)],
        "autodim": [{"learning_rate": r} for r in (1.0, 0.3, 3.0, 0.1)],
        "random": [{"draw": draw} for draw in range(4)],
        "magnitude": [dict(trial) for trial in _FINE_TUNING],
        "magnitude_aligned": [
            {"learning_rate": rate, "rounds": 1, "threshold_power": power}
            for rate in (0.1, 1.0)
            for power in (0.15, 0.3)
        ],
        "dnis": [
            {"learning_rate": 0.1, "rounds": rounds, "search_rate": search}
            for rounds in (1, 5)
            for search in (1.0, 0.3)
        ],
    }
    aligned_search = [
        {
            "learning_rate": 0.1,
            "rounds": 1,
            "search_rate": search,
            "threshold_power": power,
        }
        for search in (1.0, 0.3)
        for power in (0.15, 0.3)
    ]
    trials = grids.get(method, aligned_search)
    if count > len(trials):
        raise ValueError(
            f"`tuning_trials` must be at most {len(trials)}. "
            f"Received: tuning_trials={count}"
        )
    return trials[:count]


def check_trial(method: str, trial: Mapping[str, Any]) -> None:
    """Makes sure that settings are ones that a method knows.

    >>> check_trial("uniform", {"width": 0.5, "learning_rate": 1.0})

    Args:
        method: Name of a method.
        trial: Settings as `method_trials` has them.

    Raises:
        ValueError: If one is unknown, or one is missing.
    """
    needed = {*method_trials(method, 1)[0]} - _OPTIONAL
    allowed = needed | {"learning_rate"}
    if "rounds" in needed:
        allowed |= {"start", "threshold_power"}
    if "search_rate" in needed:
        allowed |= {"search"}
    if not needed <= {*trial} <= allowed:
        raise ValueError(
            f"Settings of {method} must have {', '.join(sorted(needed))}, and "
            f"may have {', '.join(sorted(allowed - needed)) or 'no others'}. "
            f"Received: {dict(trial)}"
        )
