"""What goes wrong when a server is asked."""

__all__ = ["ServingError"]


class ServingError(RuntimeError):
    """A server refused a request, or could not be reached in time.

    >>> str(ServingError("NOT_FOUND", "no such model"))
    'NOT_FOUND: no such model'

    Args:
        code: Name of the status, as gRPC has them: `"INVALID_ARGUMENT"`,
            `"NOT_FOUND"`, `"DEADLINE_EXCEEDED"`, `"UNAVAILABLE"`, ...
        message: What the server says.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(f"{code}: {message}")
        self.code = code
