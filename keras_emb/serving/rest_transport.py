"""Asking TensorFlow Serving over REST."""

import base64
import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

import numpy as np
import tensorflow as tf
from google.protobuf import json_format

from keras_emb.serving.serving_api import serving_api
from keras_emb.serving.serving_error import ServingError

__all__ = ["RestTransport"]

_CODES = {
    400: "INVALID_ARGUMENT",
    404: "NOT_FOUND",
    412: "FAILED_PRECONDITION",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class RestTransport:
    """One model of a server, over REST.

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
        self._metadata = serving_api("get_model_metadata_pb2")
        self._url = f"http://{address}/v1/models/{model}"
        if version is not None:
            self._url += f"/versions/{version}"
        elif version_label is not None:
            self._url += f"/labels/{version_label}"
        self._timeout = timeout
        self._outputs: dict[str, Any] = {}

    def signatures(self) -> dict[str, Any]:
        """The model's `SignatureDef`s by name."""
        answer = self._ask(f"{self._url}/metadata", None)
        found = json_format.ParseDict(
            answer["metadata"]["signature_def"],
            self._metadata.SignatureDefMap(),
            ignore_unknown_fields=True,
        )
        signatures = dict(found.signature_def)
        self._outputs = {
            name: signature.outputs for name, signature in signatures.items()
        }
        return signatures

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
        if not self._outputs:
            self.signatures()
        body = {
            "signature_name": signature,
            "inputs": {name: _as_json(value) for name, value in inputs.items()},
        }
        answer = self._ask(f"{self._url}:predict", body)["outputs"]
        specs = self._outputs[signature]
        if len(specs) == 1:
            # A single output stands there without its name.
            answer = {next(iter(specs)): answer}
        return {
            name: _from_json(answer[name], spec) for name, spec in specs.items()
        }

    def close(self) -> None:
        """Nothing: every request has a connection of its own."""

    def _ask(self, url: str, body: Any) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data)  # noqa: S310
        try:
            with urllib.request.urlopen(  # noqa: S310
                request, timeout=self._timeout
            ) as response:
                return json.load(response)
        except urllib.error.HTTPError as error:
            code = _CODES.get(error.code, "UNKNOWN")
            raise ServingError(code, _error_text(error)) from error
        except TimeoutError as error:
            raise ServingError("DEADLINE_EXCEEDED", str(error)) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            timed_out = isinstance(getattr(error, "reason", None), TimeoutError)
            code = "DEADLINE_EXCEEDED" if timed_out else "UNAVAILABLE"
            raise ServingError(code, f"{url}: {error}") from error


def _as_json(value: Any) -> Any:
    if isinstance(value, bytes):
        try:
            return value.decode()
        except UnicodeDecodeError:
            return {"b64": base64.b64encode(value).decode()}
    if value.dtype == object:
        return [_as_json(part) for part in value]
    return value.tolist()


def _from_json(value: Any, spec: Any) -> np.ndarray:
    dtype = tf.as_dtype(spec.dtype)
    if dtype is not tf.string:
        return np.array(value, dtype.as_numpy_dtype).reshape(
            np.shape(value) or (0,) * len(spec.tensor_shape.dim)
        )
    return np.char.encode(np.array(value, np.str_), "utf-8").astype(object)


def _error_text(error: urllib.error.HTTPError) -> str:
    text = error.read().decode(errors="replace")
    try:
        return str(json.loads(text)["error"])
    except (KeyError, TypeError, ValueError):
        return text or error.reason
