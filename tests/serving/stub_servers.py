"""TensorFlow Serving's two protocols in front of a C server.

What a real server does around a model is small here: names, versions, JSON.
The answers come from the SavedModel, through the C API.
"""

import base64
import concurrent.futures
import contextlib
import http.server
import json
import threading

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import json_format
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from keras_emb.serving.serving_api import predict_request
from tests.serving.c_server import CError, signature_defs

__all__ = ["grpc_server", "rest_server"]


def _metadata(server):
    found = get_model_metadata_pb2.SignatureDefMap()
    for name, definition in signature_defs(server.folder).items():
        found.signature_def[name].CopyFrom(definition)
    return found


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, servers):
        self._servers = servers

    def _find(self, spec, context):
        key = (spec.name, spec.version_label or spec.version.value or 1)
        if key not in self._servers:
            context.abort(
                grpc.StatusCode.NOT_FOUND, f"Servable not found: {key}"
            )
        return self._servers[key]

    def Predict(self, request, context):
        server = self._find(request.model_spec, context)
        try:
            answer = server.answer(request.SerializeToString())
        except CError as error:
            code = next(c for c in grpc.StatusCode if c.value[0] == error.code)
            context.abort(code, str(error))
        return predict_pb2.PredictResponse.FromString(answer)

    def GetModelMetadata(self, request, context):
        server = self._find(request.model_spec, context)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.metadata["signature_def"].Pack(_metadata(server))
        return response


@contextlib.contextmanager
def grpc_server(servers):
    """Serves C servers by (model, version or label); yields the address."""
    server = grpc.server(
        concurrent.futures.ThreadPoolExecutor(4),
        options=[("grpc.max_receive_message_length", 1 << 28)],
    )
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(
        _Service(servers), server
    )
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        server.stop(None).wait()


def _from_json(value, spec):
    """As the REST API reads a tensor: the signature says its type."""
    dtype = tf.as_dtype(spec.dtype)
    if dtype is not tf.string:
        return np.array(value, dtype.as_numpy_dtype)

    def texts(part):
        if isinstance(part, list):
            return [texts(inner) for inner in part]
        if isinstance(part, dict):
            return base64.b64decode(part["b64"])
        return part.encode()

    return np.array(texts(value), object)


def _to_json(array):
    if array.dtype == object:
        return [
            _to_json(part) if isinstance(part, np.ndarray) else part.decode()
            for part in array
        ]
    return array.tolist()


class _Handler(http.server.BaseHTTPRequestHandler):
    def log_message(self, *_):
        """Quiet."""

    def _find(self, path):
        parts = path.removeprefix("/v1/models/").split("/")
        key = (parts[0], 1)
        if len(parts) == 3:
            name = parts[2]
            key = (parts[0], int(name) if parts[1] == "versions" else name)
        return self.server.servers.get(key)

    def _reply(self, status, body):
        data = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def do_GET(self):
        found = self._find(self.path.removesuffix("/metadata"))
        if found is None:
            return self._reply(404, {"error": "Servable not found"})
        metadata = json_format.MessageToDict(
            _metadata(found), preserving_proto_field_name=True
        )
        self._reply(200, {"metadata": {"signature_def": metadata}})

    def do_POST(self):
        found = self._find(self.path.removesuffix(":predict"))
        if found is None:
            return self._reply(404, {"error": "Servable not found"})
        length = int(self.headers["Content-Length"])
        body = json.loads(self.rfile.read(length))
        specs = signature_defs(found.folder)[body["signature_name"]].inputs
        inputs = {
            name: _from_json(value, specs[name])
            for name, value in body["inputs"].items()
        }
        request = predict_request("m", body["signature_name"], inputs)
        try:
            answer = predict_pb2.PredictResponse.FromString(
                found.answer(request.SerializeToString())
            )
        except CError as error:
            return self._reply(400, {"error": str(error)})
        outputs = {
            name: _to_json(tf.make_ndarray(tensor))
            for name, tensor in answer.outputs.items()
        }
        if len(outputs) == 1:
            # The real server leaves the name of a single output out.
            (outputs,) = outputs.values()
        self._reply(200, {"outputs": outputs})


@contextlib.contextmanager
def rest_server(servers):
    """The same over REST."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.servers = servers
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
