"""What each method of a ranking experiment may try."""

from typing import Any

__all__ = ["ranking_trials"]

_RATES = (1.0, 0.3, 0.1, 3.0, 0.03)
# Less than a budget allows may be better still.
_WIDTHS = (
    {"width": 1.0, "learning_rate": 1.0},
    {"width": 0.5, "learning_rate": 1.0},
    {"width": 1.0, "learning_rate": 0.3},
    {"width": 0.5, "learning_rate": 0.3},
    {"width": 0.25, "learning_rate": 1.0},
)
_EXPONENTS = (0.5, 0.25, 1.0, 0.75, 0.1)
# Where thresholds start as low as published, some reach no small mask.
_THRESHOLDS: tuple[dict[str, Any], ...] = (
    {"initial_threshold": -8.0},
    {"initial_threshold": -15.0},
    {"granularity": "feature"},
    {"initial_threshold": -10.0},
    {"granularity": "dimension"},
)


def ranking_trials(method: str, count: int) -> list[dict[str, Any]]:
    """The settings or draws a method tries on validation, the likeliest first.

    >>> ranking_trials("power_rule", 2)
    [{'exponent': 0.5}, {'exponent': 0.25}]

    Args:
        method: A method that is no search; a search tries its candidates.
        count: Number of trials.

    Raises:
        ValueError: If there are not as many.
    """
    if method in ("mixed_random", "budgeted_random"):
        return [{"draw": draw} for draw in range(count)]
    trials: list[dict[str, Any]]
    if method == "power_rule":
        trials = [{"exponent": exponent} for exponent in _EXPONENTS]
    elif method == "pep":
        trials = [dict(trial) for trial in _THRESHOLDS]
    elif method == "dense":
        trials = [{"learning_rate": rate} for rate in _RATES]
    else:
        trials = [dict(trial) for trial in _WIDTHS]
    if count > len(trials):
        raise ValueError(
            f"`trials` must be at most {len(trials)} for {method}. "
            f"Received: trials={count}"
        )
    return trials[:count]
