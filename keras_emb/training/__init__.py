"""Training loops, recipes and checkpoints."""

from keras_emb.training.batches import Batches
from keras_emb.training.bpr_loss import BPRLoss
from keras_emb.training.callback_list import callback_list
from keras_emb.training.checkpoint import Checkpoint
from keras_emb.training.fit_interactions import fit_interactions
from keras_emb.training.floored_decay import FlooredDecay
from keras_emb.training.implicit_batches import ImplicitBatches
from keras_emb.training.implicit_objective import ImplicitObjective
from keras_emb.training.objective import Objective
from keras_emb.training.objectives import OBJECTIVES
from keras_emb.training.paired_batches import PairedBatches
from keras_emb.training.pairwise_model import PairwiseModel
from keras_emb.training.pairwise_recipe import PairwiseRecipe
from keras_emb.training.pairwise_trainer import PairwiseTrainer
from keras_emb.training.plateau import Plateau
from keras_emb.training.retrain import (
    apply_assignment,
    cubic_schedule,
    prune_gradually,
    retrain,
)
from keras_emb.training.shuffled_batches import ShuffledBatches
from keras_emb.training.step_runner import StepRunner
from keras_emb.training.stream_batches import StreamBatches
from keras_emb.training.stream_runner import StreamRunner
from keras_emb.training.train import TrainingRecord, train
from keras_emb.training.train_on_stream import StreamRecord, train_on_stream
from keras_emb.training.training_recipe import TrainingRecipe
from keras_emb.training.triplet_sampler import TripletSampler

__all__ = [
    "OBJECTIVES",
    "BPRLoss",
    "Batches",
    "Checkpoint",
    "FlooredDecay",
    "ImplicitBatches",
    "ImplicitObjective",
    "Objective",
    "PairedBatches",
    "PairwiseModel",
    "PairwiseRecipe",
    "PairwiseTrainer",
    "Plateau",
    "ShuffledBatches",
    "StepRunner",
    "StreamBatches",
    "StreamRecord",
    "StreamRunner",
    "TrainingRecipe",
    "TrainingRecord",
    "TripletSampler",
    "apply_assignment",
    "callback_list",
    "cubic_schedule",
    "fit_interactions",
    "prune_gradually",
    "retrain",
    "train",
    "train_on_stream",
]
