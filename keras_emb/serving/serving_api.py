"""Messages of TensorFlow Serving."""

import importlib
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

__all__ = ["predict_request", "serving_api"]


def serving_api(name: str) -> Any:
    """A module of `tensorflow_serving.apis`.

    >>> serving_api("predict_pb2").PredictRequest.DESCRIPTOR.name
    'PredictRequest'

    Args:
        name: Of the module.

    Returns:
        The module.

    Raises:
        ImportError: If tensorflow-serving-api is not installed.
    """
    try:
        return importlib.import_module(f"tensorflow_serving.apis.{name}")
    except ImportError as error:
        raise ImportError(
            "TensorFlow Serving's messages need tensorflow-serving-api: "
            "pip install keras_emb[serving]"
        ) from error


def predict_request(
    model: str,
    signature: str,
    inputs: Mapping[str, np.ndarray],
    *,
    version: int | None = None,
    version_label: str | None = None,
) -> Any:
    """The request that asks a signature of a model.

    >>> request = predict_request("m", "embed", {"user": np.array([1, 2])})
    >>> request.model_spec.signature_name, request.inputs["user"].dtype
    ('embed', 9)

    Args:
        model: Name of the model.
        signature: Name of the signature.
        inputs: Arrays by name; strings as objects of type `bytes`.
        version: Of the model; the server's choice by default.
        version_label: A label that the server gives to a version, instead.

    Returns:
        A `PredictRequest`.
    """
    request = serving_api("predict_pb2").PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = signature
    if version is not None:
        request.model_spec.version.value = version
    if version_label is not None:
        request.model_spec.version_label = version_label
    for name, value in inputs.items():
        request.inputs[name].CopyFrom(tf.make_tensor_proto(value))
    return request
