"""The constants of TD3."""

import dataclasses

from keras_emb.training.check_rules import check_integers, check_rules

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
        counts = (
            "policy_delay",
            "batch_size",
            "buffer_length",
            "updates_per_iteration",
        )
        check_integers(self, dict.fromkeys(counts, 1))
        rates = {
            name: (getattr(self, name) > 0, "be positive")
            for name in (
                "actor_learning_rate",
                "critic_learning_rate",
                "gradient_clipping",
            )
        }
        noises = {
            name: (getattr(self, name) >= 0, "be at least 0")
            for name in ("target_noise", "target_noise_clip")
        }
        shares = {
            "discount": (0 <= self.discount <= 1, "lie in [0, 1]"),
            "tau": (0 < self.tau <= 1, "lie in (0, 1]"),
        }
        check_rules(self, {**rates, **noises, **shares})
        if not self.hidden_units or min(self.hidden_units) < 1:
            raise ValueError(
                "`hidden_units` must be positive integers. "
                f"Received: hidden_units={self.hidden_units}"
            )
