"""Two tables read through a dot product."""

import dataclasses

__all__ = ["DotProduct"]


@dataclasses.dataclass(frozen=True)
class DotProduct:
    """The model reads two tables through their rows' dot product alone.

    >>> DotProduct("user", "item").tables
    ('user', 'item')

    Args:
        left: Name of a table.
        right: Name of the other table.
    """

    left: str
    right: str

    @property
    def tables(self) -> tuple[str, ...]:
        """Names of the tables."""
        return (self.left, self.right)
