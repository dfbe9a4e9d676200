"""What a ranking experiment is: everything that decides its outcome."""

import dataclasses
from collections.abc import Mapping

from keras_emb.experiments.configs import (
    BackboneConfig,
    DatasetConfig,
    ExportConfig,
    YamlConfig,
)
from keras_emb.experiments.ranking.ciess_config import CiessConfig
from keras_emb.experiments.ranking.trials import ranking_trials
from keras_emb.search.ciess import Td3Settings
from keras_emb.training import PairwiseRecipe
from keras_emb.training.check_rules import check_rules

__all__ = ["RANKING_METHODS", "RankingExperimentConfig"]

RANKING_METHODS: Mapping[str, str] = {
    "dense": "every row at full width",
    "uniform": "one smaller width for all rows, trained from scratch",
    "truncated_uniform": "full size, aligned, cut to one width, fine-tuned",
    "mixed_random": "a random width for every row, trained from scratch",
    "budgeted_random": "random widths that fall with popularity, likewise",
    "power_rule": "width a power of popularity, trained from scratch",
    "pep": "masks from thresholds trained with the tables, trained anew",
    "ciess": "any width an id, by reinforcement learning: `searches`",
}


@dataclasses.dataclass(frozen=True)
class RankingExperimentConfig(YamlConfig):
    """Everything that decides the outcome of a ranking experiment.

    Args:
        experiment: Name of the experiment.
        method: Method the experiment is about: `"ciess"`.
        backbone: Which model; `embedding_dim` is the full width.
        dataset: Which interactions, and how they are split.
        shares: Shares of the full tables' parameters to keep.
        methods: Names out of `RANKING_METHODS` and of `searches`.
        export: Which model becomes the artifact, at the first seed.
        recipe: How every method trains.
        cutoffs: Lengths of the lists that are evaluated.
        pretrain_steps: Steps of the recommender that is aligned and cut; it
            is trained past its best, as a cut undoes what it overfits.
        alignment_power: Power of the popularity that weighs the rows where
            tables are aligned.
        aligned_rate: What the learning rate is multiplied by where training
            goes on from cut tables.
        pep_rate_falls: Whether the learning rate falls in PEP's searches as
            in trainings. Where it falls fast, thresholds come to rest before
            they have cut enough.
        searches: Searches by the name of the method they make.
        episodes: Episodes of a search.
        iterations: Iterations of an episode.
        memory_weight: The paper's lambda.
        td3: Constants of TD3.
        trials: Settings, draws or candidates each method may try on
            validation, at the first seed.
        seeds: One repetition of every training a seed; searches are run at
            the first.

    Raises:
        ValueError: If a value is out of range or names nothing.
    """

    experiment: str
    method: str
    backbone: BackboneConfig
    dataset: DatasetConfig
    shares: tuple[float, ...]
    methods: tuple[str, ...]
    export: ExportConfig
    recipe: PairwiseRecipe = dataclasses.field(default_factory=PairwiseRecipe)
    cutoffs: tuple[int, ...] = (5, 10, 20)
    pretrain_steps: int = 1000
    alignment_power: float = 0.5
    aligned_rate: float = 0.1
    pep_rate_falls: bool = True
    searches: dict[str, CiessConfig] = dataclasses.field(default_factory=dict)
    episodes: int = 30
    iterations: int = 10
    memory_weight: float = 0.4
    td3: Td3Settings = dataclasses.field(default_factory=Td3Settings)
    trials: int = 3
    seeds: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        if self.method != "ciess":
            raise ValueError(
                f"`method` must be ciess. Received: method={self.method!r}"
            )
        known = {*RANKING_METHODS, *self.searches} - {"ciess"}
        known |= {*self.searches}
        if not self.methods or not set(self.methods) <= known:
            raise ValueError(
                f"`methods` must be out of {', '.join(sorted(known))}. "
                f"Received: methods={list(self.methods)}"
            )
        in_range = all(0 < share < 1 for share in self.shares)
        not_negative = all(seed >= 0 for seed in self.seeds)
        check_rules(
            self,
            {
                "shares": (
                    bool(self.shares) and in_range,
                    "be at least one number, each between 0 and 1",
                ),
                "seeds": (
                    bool(self.seeds) and not_negative,
                    "be at least one integer, none negative",
                ),
                "trials": (self.trials >= 1, "be at least 1"),
                "pretrain_steps": (self.pretrain_steps >= 0, "be at least 0"),
                "aligned_rate": (self.aligned_rate > 0, "be positive"),
                "episodes": (self.episodes >= 1, "be at least 1"),
                "iterations": (self.iterations >= 1, "be at least 1"),
                "memory_weight": (self.memory_weight >= 0, "be at least 0"),
            },
        )
        for method in set(self.methods) - {*self.searches}:
            # Too many trials would show after hours.
            ranking_trials(method, self.trials)
        narrowest = 1 / self.backbone.embedding_dim
        if {*self.searches} & {*self.methods} and min(self.shares) < narrowest:
            raise ValueError(
                "`shares` must leave every row a coordinate where sizes are "
                f"searched, {narrowest:.4g} of the parameters. "
                f"Received: shares={list(self.shares)}"
            )
        if self.export.method not in self.methods or (
            self.export.method != "dense"
            and self.export.share not in self.shares
        ):
            raise ValueError(
                "`export` must name one of `methods` and one of `shares`. "
                f"Received: export={self.export}"
            )
