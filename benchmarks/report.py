"""How a benchmark says what it found."""

import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

import numpy as np

__all__ = ["finish", "median_milliseconds"]


def median_milliseconds(
    functions: Mapping[str, Callable[[int], Any]],
    *,
    repeats: int,
    warm_up: int = 2,
) -> dict[str, float]:
    """Times functions in turn, one call of each a round.

    Args:
        functions: Called with the number of the round.
        repeats: Rounds that count.
        warm_up: Rounds before, that do not.

    Returns:
        Median milliseconds of a call, by name.
    """
    times: dict[str, list[float]] = {name: [] for name in functions}
    for number in range(warm_up + repeats):
        for name, function in functions.items():
            started = time.perf_counter()
            function(number)
            times[name].append(time.perf_counter() - started)
    return {
        name: float(np.median(values[warm_up:])) * 1e3
        for name, values in times.items()
    }


def finish(
    benchmark: str,
    figures: Mapping[str, float],
    limits: Mapping[str, tuple[str, float]],
) -> NoReturn:
    """Prints the figures as JSON and exits, with 1 if a limit is broken.

    Args:
        benchmark: Its name.
        figures: What was measured.
        limits: `("<=" or ">=", bound)` by the figure's name.
    """
    holds = all(
        figures[name] <= bound if sign == "<=" else figures[name] >= bound
        for name, (sign, bound) in limits.items()
    )
    print(
        json.dumps(
            {
                "benchmark": benchmark,
                "figures": {k: round(v, 4) for k, v in figures.items()},
                "limits": {k: f"{s} {b:g}" for k, (s, b) in limits.items()},
                "holds": holds,
            }
        )
    )
    sys.exit(0 if holds else 1)
