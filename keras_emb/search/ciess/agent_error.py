"""What is raised when the agents' process fails."""

__all__ = ["AgentError"]


class AgentError(RuntimeError):
    """The agents' process cannot start, failed, or is gone."""
