"""What settings must keep to."""

from collections.abc import Mapping

__all__ = ["check_rules"]


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
