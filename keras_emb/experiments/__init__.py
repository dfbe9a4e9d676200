"""Experiments: configs, results, pictures, the folder of a run."""

from keras_emb.experiments.configs import (
    METHODS,
    ExperimentConfig,
    experiment_names,
)
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.json_file import read_json, write_json
from keras_emb.experiments.plots import (
    plot_alpha,
    plot_pruning,
    plot_quality,
    plot_sizes,
)
from keras_emb.experiments.progress import ProgressReporter
from keras_emb.experiments.result import (
    build_result,
    merge_results,
    validate_result,
)
from keras_emb.experiments.run_folder import RunFolder
from keras_emb.experiments.saved_run import SavedRun
from keras_emb.experiments.tables import comparison_table, summary_table

__all__ = [
    "METHODS",
    "ExperimentConfig",
    "ProgressReporter",
    "RunFolder",
    "SavedRun",
    "build_result",
    "comparison_table",
    "experiment_names",
    "load_interactions",
    "merge_results",
    "plot_alpha",
    "plot_pruning",
    "plot_quality",
    "plot_sizes",
    "read_json",
    "summary_table",
    "validate_result",
    "write_json",
]
