"""What experiments are, as their YAML files say it."""

from keras_emb.experiments.configs.backbone_config import BackboneConfig
from keras_emb.experiments.configs.dataset_config import DatasetConfig
from keras_emb.experiments.configs.experiment_config import (
    IMPLICIT_SPLIT,
    METHODS,
    ExperimentConfig,
)
from keras_emb.experiments.configs.experiment_file import (
    experiment_names,
    read_experiment,
)
from keras_emb.experiments.configs.export_config import ExportConfig
from keras_emb.experiments.configs.search_config import SearchConfig
from keras_emb.experiments.configs.yaml_config import YamlConfig

__all__ = [
    "IMPLICIT_SPLIT",
    "METHODS",
    "BackboneConfig",
    "DatasetConfig",
    "ExperimentConfig",
    "ExportConfig",
    "SearchConfig",
    "YamlConfig",
    "experiment_names",
    "read_experiment",
]
