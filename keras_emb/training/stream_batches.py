"""Batches of a stream in its own order, each with a sample of its past."""

from collections.abc import Mapping
from typing import Any, Literal

import numpy as np

__all__ = ["StreamBatches"]


class StreamBatches:
    """Batches of a stream, in order, each beside interactions of its past.

    AutoEmb (arXiv 2002.11252): the controllers learn from interactions that
    have been seen, the model from the current ones. Step t covers the rows
    `t * batch_size` and following; rows that do not fill a batch at the end
    wait for the stream to go on. What belongs to a step depends on `seed`
    and the step alone, so an interrupted stream goes on as it would have.

    >>> import numpy as np
    >>> batches = StreamBatches(
    ...     {"user": np.arange(6)}, np.zeros(6), batch_size=2
    ... )
    >>> x, y = batches.stack(1, 2)
    >>> x["inner"]["user"].tolist(), x["outer"]["user"].tolist()
    ([[2, 3], [4, 5]], [[0, 1], [2, 3]])

    Args:
        features: Arrays of shape `(n, ...)`.
        label: Array of shape `(n,)`.
        batch_size: Interactions a batch.
        past: `"previous_batch"`, or `"history"`: as many interactions drawn
            at random from all earlier batches. The first batch has no past
            and stands beside itself.
        seed: Seed of the draws.

    Raises:
        ValueError: If `past` is unknown, a batch would be empty, or lengths
            differ.
    """

    def __init__(
        self,
        features: Mapping[str, np.ndarray],
        label: np.ndarray,
        *,
        batch_size: int = 500,
        past: Literal["previous_batch", "history"] = "previous_batch",
        seed: int = 0,
    ) -> None:
        if past not in ("previous_batch", "history"):
            raise ValueError(
                "`past` must be 'previous_batch' or 'history'. "
                f"Received: past={past!r}"
            )
        if not 1 <= batch_size <= len(label):
            raise ValueError(
                "`batch_size` must lie between 1 and the length of the "
                f"stream. Received: batch_size={batch_size}, "
                f"len(label)={len(label)}"
            )
        for name, values in features.items():
            if len(values) != len(label):
                raise ValueError(
                    f"`features[{name!r}]` must be as long as `label` "
                    f"({len(label)}). Received: {len(values)}"
                )
        self.features = dict(features)
        self.label = label
        self.batch_size = batch_size
        self.num_batches = len(label) // batch_size
        self._past = past
        self._seed = seed

    def stack(
        self, first_step: int, steps: int
    ) -> tuple[dict[str, Any], np.ndarray]:
        """Batches of `steps` steps, as `BilevelModel` takes them.

        Args:
            first_step: First of them.
            steps: How many.

        Returns:
            `({"inner": x, "outer": past x, "outer_target": past y}, y)`, all
            of shape `(steps, batch_size, ...)`.
        """
        now = np.arange(first_step, first_step + steps)
        rows = now[:, None] * self.batch_size + np.arange(self.batch_size)
        past = (
            np.maximum(rows - self.batch_size, 0)
            if self._past == "previous_batch"
            else np.stack([self._draw(int(step)) for step in now])
        )
        if first_step == 0:
            past[0] = rows[0]
        inputs = {
            "inner": {k: v[rows] for k, v in self.features.items()},
            "outer": {k: v[past] for k, v in self.features.items()},
            "outer_target": self.label[past],
        }
        return inputs, self.label[rows]

    def _draw(self, step: int) -> np.ndarray:
        generator = np.random.default_rng([self._seed, step])
        seen = max(step, 1) * self.batch_size
        return generator.integers(0, seen, self.batch_size)
