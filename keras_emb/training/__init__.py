"""Training loops, recipes and checkpoints."""

from keras_emb.training.batches import (
    Batches,
    PairedBatches,
    ShuffledBatches,
)
from keras_emb.training.checkpoint import Checkpoint
from keras_emb.training.fit_interactions import fit_interactions
from keras_emb.training.plateau import Plateau
from keras_emb.training.retrain import (
    apply_assignment,
    cubic_schedule,
    prune_gradually,
    retrain,
)
from keras_emb.training.step_runner import StepRunner
from keras_emb.training.train import TrainingRecord, train
from keras_emb.training.training_recipe import TrainingRecipe

__all__ = [
    "Batches",
    "Checkpoint",
    "PairedBatches",
    "Plateau",
    "ShuffledBatches",
    "StepRunner",
    "TrainingRecipe",
    "TrainingRecord",
    "apply_assignment",
    "cubic_schedule",
    "fit_interactions",
    "prune_gradually",
    "retrain",
    "train",
]
