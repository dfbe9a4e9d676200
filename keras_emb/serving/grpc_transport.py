"""Asking TensorFlow Serving over gRPC."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf

from keras_emb.serving.serving_api import predict_request, serving_api
from keras_emb.serving.serving_error import ServingError

__all__ = ["GrpcTransport"]

# Vectors of many ids do not fit in gRPC's four megabytes.
_MOST_BYTES = 1 << 30


class GrpcTransport:
    """One model of a server, over gRPC.

    Args:
        address: `host:port`.
        model: Name of the model.
        version: See `Client`.
        version_label: See `Client`.
        timeout: See `Client`.

    Raises:
        ImportError: If tensorflow-serving-api is not installed.
    """

    def __init__(
        self,
        address: str,
        model: str,
        version: int | None,
        version_label: str | None,
        timeout: float,
    ) -> None:
        service = serving_api("prediction_service_pb2_grpc")
        import grpc

        self._rpc_error = grpc.RpcError
        self._model = model
        self._version = version
        self._version_label = version_label
        self._timeout = timeout
        self._channel = grpc.insecure_channel(
            address,
            options=[
                ("grpc.max_receive_message_length", _MOST_BYTES),
                ("grpc.max_send_message_length", _MOST_BYTES),
            ],
        )
        self._service = service.PredictionServiceStub(self._channel)

    def signatures(self) -> dict[str, Any]:
        """The model's `SignatureDef`s by name."""
        metadata = serving_api("get_model_metadata_pb2")
        request = metadata.GetModelMetadataRequest(
            metadata_field=["signature_def"]
        )
        request.model_spec.CopyFrom(self._request("", {}).model_spec)
        response = self._ask(self._service.GetModelMetadata, request)
        found = metadata.SignatureDefMap()
        response.metadata["signature_def"].Unpack(found)
        return dict(found.signature_def)

    def predict(
        self, signature: str, inputs: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Answers of a signature.

        Args:
            signature: Its name.
            inputs: See `predict_request`.

        Returns:
            Arrays by name; strings as `bytes`.
        """
        request = self._request(signature, inputs)
        response = self._ask(self._service.Predict, request)
        return {
            name: tf.make_ndarray(tensor)
            for name, tensor in response.outputs.items()
        }

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _request(self, signature: str, inputs: Mapping[str, np.ndarray]) -> Any:
        return predict_request(
            self._model,
            signature,
            inputs,
            version=self._version,
            version_label=self._version_label,
        )

    def _ask(self, method: Any, request: Any) -> Any:
        try:
            return method(request, timeout=self._timeout)
        except self._rpc_error as error:
            code = error.code().name
            details = error.details()
            raise ServingError(code, details) from error
