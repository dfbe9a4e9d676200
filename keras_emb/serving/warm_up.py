"""Requests that a server answers before it takes any others."""

import importlib.util
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from keras_emb.serving.serving_api import predict_request, serving_api

__all__ = ["can_warm_up", "write_warm_up"]

_FILE = Path("assets.extra") / "tf_serving_warmup_requests"


def can_warm_up() -> bool:
    """Whether tensorflow-serving-api is there to write requests with."""
    return importlib.util.find_spec("tensorflow_serving") is not None


def write_warm_up(
    folder: Path, requests: Mapping[str, Mapping[str, np.ndarray]]
) -> None:
    """Puts requests where TensorFlow Serving looks for them.

    See https://www.tensorflow.org/tfx/serving/saved_model_warmup .

    Args:
        folder: Of a SavedModel.
        requests: By signature, the inputs of one request.

    Raises:
        ImportError: If tensorflow-serving-api is not installed.
    """
    logs = serving_api("prediction_log_pb2")
    path = folder / _FILE
    path.parent.mkdir(parents=True, exist_ok=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for signature, inputs in requests.items():
            log = logs.PredictionLog()
            log.predict_log.request.CopyFrom(
                predict_request("warm_up", signature, inputs)
            )
            writer.write(log.SerializeToString())
