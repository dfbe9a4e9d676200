"""What an experiment on a stream is: everything that decides its outcome."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from keras_emb.experiments.configs import BackboneConfig, YamlConfig
from keras_emb.experiments.streams.stream_config import StreamConfig
from keras_emb.experiments.streams.stream_export_config import (
    StreamExportConfig,
)
from keras_emb.training.check_rules import check_rules

__all__ = ["STREAM_METHODS", "StreamExperimentConfig"]

STREAM_METHODS: Mapping[str, str] = {
    "fixed": "one width for all ids: each candidate's, and of equal bytes",
    "fixed_all_candidates": "one width, as wide as all candidates together",
    "fixed_retrained": "one width of equal bytes, trained once more on the "
    "past before the test part, as `autoemb_hard` is",
    "supervised_attention": "AutoEmb without a second problem",
    "darts": "free weights of the sizes for each id, no controller",
    "autoemb": "sizes mixed by popularity, controllers learn from the past",
    "autoemb_hard": "one size an id from AutoEmb's controllers, compact",
}
_TASKS = ("binary", "multiclass", "rating")


@dataclasses.dataclass(frozen=True)
class StreamExperimentConfig(YamlConfig):
    """Everything that decides the outcome of an experiment on a stream.

    Args:
        experiment: Name of the experiment.
        method: Method the experiment is about: `"autoemb"`.
        backbone: Which model; `embedding_dim` is the full width.
        stream: Which ratings in which order.
        tasks: `"binary"`, `"multiclass"`, `"rating"`.
        methods: Names out of `STREAM_METHODS`.
        dims: Candidate sizes.
        shares: Shares of the full tables' bytes for one size an id.
        export: Which compact model becomes the artifact, at the first seed.
        batch_size: Interactions a batch.
        learning_rate: Rate of every model.
        controller_learning_rate: Rate of controllers and free weights.
        past: What controllers learn from, see `StreamBatches`.
        initial_stddev: Spread of every table's first values.
        pretrain_share: Share of the stream after which sizes are decided;
            test figures are those of the rest.
        importance_power: See `AutoEmb`.
        regrow_every: Batches of the test part after which ids may get other
            sizes, see `Regrowth`; 0 for never.
        regrow_half_life: Batches after which a sight counts half for that.
        reserve: Share of the budget kept back, when sizes are decided, for
            ids to come.
        controller: Further arguments of `PopularityController`.
        jit_compile: Whether XLA compiles the models that mix sizes.
        seeds: One repetition of everything a seed.

    Raises:
        ValueError: If a value is out of range or names nothing.
    """

    experiment: str
    method: str
    backbone: BackboneConfig
    stream: StreamConfig
    tasks: tuple[str, ...]
    methods: tuple[str, ...]
    export: StreamExportConfig
    dims: tuple[int, ...] = (2, 4, 8, 16, 64, 128)
    shares: tuple[float, ...] = (0.5, 0.25)
    batch_size: int = 500
    learning_rate: float = 1e-3
    controller_learning_rate: float = 1e-4
    past: str = "previous_batch"
    initial_stddev: float = 1.0
    pretrain_share: float = 0.7
    importance_power: float = 1.0
    regrow_every: int = 0
    regrow_half_life: float = 10.0
    reserve: float = 0.0
    controller: dict[str, Any] = dataclasses.field(default_factory=dict)
    jit_compile: bool = False
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if self.method != "autoemb":
            raise ValueError(
                f"`method` must be autoemb. Received: method={self.method!r}"
            )
        for name, allowed in (("tasks", _TASKS), ("methods", STREAM_METHODS)):
            values = getattr(self, name)
            if not values or not set(values) <= set(allowed):
                raise ValueError(
                    f"`{name}` must be out of {', '.join(allowed)}. "
                    f"Received: {name}={list(values)}"
                )
        not_negative = all(seed >= 0 for seed in self.seeds)
        check_rules(
            self,
            {
                "seeds": (
                    bool(self.seeds) and not_negative,
                    "be at least one integer, none negative",
                ),
                "shares": (
                    all(0 < share <= 1 for share in self.shares),
                    "be numbers above 0 and at most 1",
                ),
                "batch_size": (self.batch_size >= 1, "be at least 1"),
                "learning_rate": (self.learning_rate > 0, "be positive"),
                "controller_learning_rate": (
                    self.controller_learning_rate > 0,
                    "be positive",
                ),
                "initial_stddev": (self.initial_stddev > 0, "be positive"),
                "pretrain_share": (
                    0 < self.pretrain_share < 1,
                    "lie between 0 and 1",
                ),
                "regrow_every": (self.regrow_every >= 0, "be at least 0"),
                "regrow_half_life": (self.regrow_half_life > 0, "be positive"),
                "reserve": (
                    0 <= self.reserve < 1,
                    "be at least 0 and below 1",
                ),
            },
        )
        if (
            self.export.task not in self.tasks
            or self.export.share not in self.shares
        ):
            raise ValueError(
                "`export` must name one of `tasks` and one of `shares`. "
                f"Received: export={self.export}"
            )

    @property
    def widths(self) -> list[int]:
        """Widths of the fixed-size baseline."""
        return sorted({*self.dims, *self.equal_widths})

    @property
    def equal_widths(self) -> list[int]:
        """Widths that take the bytes of each of `shares`."""
        full = self.backbone.embedding_dim
        return [max(1, round(share * full)) for share in self.shares]

    def num_batches(self, length: int) -> tuple[int, int]:
        """Batches of a stream, and those of them before its test part.

        Args:
            length: Interactions of the stream.
        """
        batches = length // self.batch_size
        return batches, max(1, round(batches * self.pretrain_share))
