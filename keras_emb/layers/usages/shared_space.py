"""Tables that share a space."""

import dataclasses

__all__ = ["SharedSpace"]


@dataclasses.dataclass(frozen=True)
class SharedSpace:
    """Tables meet in one space where only inner products count.

    >>> SharedSpace(("user", "item")).tables
    ('user', 'item')

    Args:
        tables: Names of the tables.
    """

    tables: tuple[str, ...]
