"""Continuous input embedding size search."""

from keras_emb.search.ciess.agent_error import AgentError
from keras_emb.search.ciess.agent_process import AgentProcess
from keras_emb.search.ciess.aligned_evaluator import AlignedEvaluator
from keras_emb.search.ciess.candidate import Candidate
from keras_emb.search.ciess.ciess import CIESS
from keras_emb.search.ciess.evaluation import Evaluation
from keras_emb.search.ciess.evaluator import Evaluator
from keras_emb.search.ciess.exploration import Exploration
from keras_emb.search.ciess.retrain_evaluator import RetrainEvaluator
from keras_emb.search.ciess.size_space import SizeSpace
from keras_emb.search.ciess.sized_recommender import (
    SizedRecommender,
    list_quality,
    sizes_of_tables,
    with_quality,
)
from keras_emb.search.ciess.td3_settings import Td3Settings

__all__ = [
    "CIESS",
    "AgentError",
    "AgentProcess",
    "AlignedEvaluator",
    "Candidate",
    "Evaluation",
    "Evaluator",
    "Exploration",
    "RetrainEvaluator",
    "SizeSpace",
    "SizedRecommender",
    "Td3Settings",
    "list_quality",
    "sizes_of_tables",
    "with_quality",
]
