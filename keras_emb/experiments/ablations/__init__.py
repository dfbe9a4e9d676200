"""Experiments that vary one setting of another."""

from keras_emb.experiments.ablations.ablation_config import AblationConfig
from keras_emb.experiments.ablations.run import run_ablation

__all__ = ["AblationConfig", "run_ablation"]
