"""SavedModels behind TensorFlow's C API, in a process without Python."""

import shutil
import struct
import subprocess
import threading
from pathlib import Path

import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import predict_pb2

from keras_emb.serving.serving_api import predict_request

__all__ = ["CError", "CServer", "build", "signature_defs"]

_SOURCE = Path(__file__).parent / "c_loader" / "serve.c"


class CError(Exception):
    """What the C program answers to a request that it refuses."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


def build(folder):
    """Compiles the program, or returns None where there is no compiler."""
    if shutil.which("gcc") is None:
        return None
    program = Path(folder) / "serve"
    libraries = Path(tf.sysconfig.get_lib())
    subprocess.run(
        [
            "gcc",
            "-O1",
            "-Wall",
            "-Werror",
            f"-I{tf.sysconfig.get_include()}",
            str(_SOURCE),
            "-o",
            str(program),
            f"-L{libraries}",
            f"-Wl,-rpath,{libraries}",
            "-l:libtensorflow_cc.so.2",
            "-l:libtensorflow_framework.so.2",
        ],
        check=True,
    )
    return program


def signature_defs(folder):
    """Signatures of a SavedModel, by name."""
    saved = saved_model_pb2.SavedModel.FromString(
        (Path(folder) / "saved_model.pb").read_bytes()
    )
    return {
        name: definition
        for name, definition in saved.meta_graphs[0].signature_def.items()
        if not name.startswith("__")
    }


class CServer:
    """A SavedModel that answers serialized requests.

    Args:
        program: What `build` returned.
        folder: Of the SavedModel.
    """

    def __init__(self, program, folder):
        self.folder = Path(folder)
        self._lock = threading.Lock()
        self._process = subprocess.Popen(
            [program, str(folder)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )

    def answer(self, request):
        """A serialized PredictResponse for a serialized PredictRequest."""
        with self._lock:
            self._process.stdin.write(struct.pack("=I", len(request)))
            self._process.stdin.write(request)
            self._process.stdin.flush()
            header = self._process.stdout.read(8)
            if len(header) < 8:
                raise AssertionError(f"The server died: {self._process.wait()}")
            size, code = struct.unpack("=II", header)
            body = self._process.stdout.read(size)
        if code:
            raise CError(code, body.decode(errors="replace"))
        return body

    def predict(self, signature, inputs):
        """Arrays for arrays."""
        request = predict_request("model", signature, inputs)
        response = predict_pb2.PredictResponse.FromString(
            self.answer(request.SerializeToString())
        )
        return {
            name: tf.make_ndarray(tensor)
            for name, tensor in response.outputs.items()
        }

    def status(self):
        """What Linux says of the process."""
        return Path(f"/proc/{self._process.pid}/status").read_text()

    def close(self):
        self._process.stdin.close()
        self._process.wait(timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()
