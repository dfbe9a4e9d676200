"""The constants of TD3."""

import dataclasses
import numbers

__all__ = ["Td3Settings"]


@dataclasses.dataclass(frozen=True)
class Td3Settings:
    """How the actor and the critics of a side learn.

    Fujimoto et al., "Addressing Function Approximation Error in Actor-Critic
    Methods", arXiv 1802.09477, with the constants CIESS (arXiv 2304.03501)
    was published with. Noise is in coordinates.

    >>> Td3Settings().discount
    0.99

    Args:
        hidden_units: Widths of the hidden layers of all networks.
        actor_learning_rate: Step of Adam on the actor.
        critic_learning_rate: Step of Adam on the critics.
        gradient_clipping: Greatest norm of a variable's gradient.
        discount: Weight of the next state's value, in [0, 1].
        tau: Step of the target networks towards the others, in (0, 1].
        policy_delay: Updates of the critics for one of the actor and of the
            target networks.
        target_noise: Standard deviation of the noise on target actions.
        target_noise_clip: Greatest size of that noise.
        batch_size: Transitions of one update, drawn with replacement.
        buffer_length: Iterations the replay buffer remembers.
        updates_per_iteration: Updates after each iteration.

    Raises:
        ValueError: If an argument is out of range.
    """

    hidden_units: tuple[int, ...] = (256, 256)
    actor_learning_rate: float = 1e-3
    critic_learning_rate: float = 3e-3
    gradient_clipping: float = 0.01
    discount: float = 0.99
    tau: float = 0.005
    policy_delay: int = 2
    target_noise: float = 2.0
    target_noise_clip: float = 5.0
    batch_size: int = 4096
    buffer_length: int = 100
    updates_per_iteration: int = 1

    def __post_init__(self) -> None:
        for name in (
            "policy_delay",
            "batch_size",
            "buffer_length",
            "updates_per_iteration",
        ):
            value = getattr(self, name)
            if not isinstance(value, numbers.Integral) or value < 1:
                raise ValueError(
                    f"`{name}` must be a positive integer. "
                    f"Received: {name}={value}"
                )
        for name in (
            "actor_learning_rate",
            "critic_learning_rate",
            "gradient_clipping",
        ):
            if not getattr(self, name) > 0:
                raise ValueError(
                    f"`{name}` must be positive. "
                    f"Received: {name}={getattr(self, name)}"
                )
        for name in ("target_noise", "target_noise_clip"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"`{name}` must be at least 0. "
                    f"Received: {name}={getattr(self, name)}"
                )
        if not 0 <= self.discount <= 1:
            raise ValueError(
                "`discount` must lie in [0, 1]. "
                f"Received: discount={self.discount}"
            )
        if not 0 < self.tau <= 1:
            raise ValueError(
                f"`tau` must lie in (0, 1]. Received: tau={self.tau}"
            )
        if not self.hidden_units or min(self.hidden_units) < 1:
            raise ValueError(
                "`hidden_units` must be positive integers. "
                f"Received: hidden_units={self.hidden_units}"
            )
