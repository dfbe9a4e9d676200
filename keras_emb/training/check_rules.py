"""What settings must keep to."""

import numbers
from collections.abc import Mapping

__all__ = ["check_integers", "check_rules"]


def check_rules(
    settings: object,
    rules: Mapping[str, tuple[bool, str]],
    place: str = "",
) -> None:
    """Makes sure that settings keep their rules.

    >>> import types
    >>> recipe = types.SimpleNamespace(rate=0)
    >>> check_rules(recipe, {"rate": (recipe.rate > 0, "be positive")})
    Traceback (most recent call last):
    ...
    ValueError: `rate` must be positive. Received: rate=0

    Args:
        settings: What has the settings as attributes.
        rules: By the name of a setting whether its rule holds, and the rule,
            as words that follow "must".
        place: What goes before a name where users write it.

    Raises:
        ValueError: Naming the first setting that breaks its rule.
    """
    for name, (holds, rule) in rules.items():
        if not holds:
            raise ValueError(
                f"`{place}{name}` must {rule}. "
                f"Received: {place}{name}={getattr(settings, name)!r}"
            )


def check_integers(settings: object, least: Mapping[str, int]) -> None:
    """Makes sure that settings are whole numbers, and large enough.

    >>> import types
    >>> check_integers(types.SimpleNamespace(steps=1.5), {"steps": 1})
    Traceback (most recent call last):
    ...
    ValueError: `steps` must be an integer of at least 1. Received: steps=1.5

    Args:
        settings: What has the settings as attributes.
        least: Least allowed value by the name of a setting.

    Raises:
        ValueError: Naming the first setting that is none.
    """
    for name, lowest in least.items():
        value = getattr(settings, name)
        whole = isinstance(value, numbers.Integral)
        rule = f"be an integer of at least {lowest}"
        check_rules(settings, {name: (whole and value >= lowest, rule)})
