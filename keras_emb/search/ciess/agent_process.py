"""The agents, in a process of their own."""

import importlib.util
import multiprocessing
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from typing import Any

from keras_emb.search.ciess.agent_error import AgentError

__all__ = ["AgentProcess", "require_agents"]

_NEEDED = ("tf_agents", "tf_keras", "tensorflow_probability", "tensorboard")


def require_agents() -> None:
    """Makes sure that TF-Agents is installed, without importing it.

    Raises:
        AgentError: If it is not.
    """
    missing = [
        name for name in _NEEDED if importlib.util.find_spec(name) is None
    ]
    if missing:
        raise AgentError(
            "CIESS needs TF-Agents and what belongs to it: "
            "pip install keras_emb[ciess]. "
            f"Received: no module named {', '.join(missing)}"
        )


class AgentProcess:
    """Runs the agents' side of a search, where `tf.keras` is Keras 2.

    TF-Agents needs `TF_USE_LEGACY_KERAS=1` before TensorFlow is imported,
    which is too late in a process that uses Keras 3. So the agents get an
    interpreter of their own, and only arrays cross. Neither the environment
    variables nor the imports of this process change. The other process ends
    with this one.

    ```python
    with AgentProcess(**settings) as agents:
        losses = agents.call("iterate", 0, answer=answer)
    ```

    Args:
        **settings: Arguments of `AgentSession` but `ask`.

    Raises:
        AgentError: If TF-Agents is not installed, or fails to start.
    """

    def __init__(self, **settings: Any) -> None:
        require_agents()
        self._log = tempfile.TemporaryFile()  # noqa: SIM115
        self._connection, theirs = multiprocessing.Pipe()
        try:
            self._process = subprocess.Popen(
                [
                    sys.executable,
                    "-P",
                    "-m",
                    "keras_emb.search.ciess.agent",
                    str(theirs.fileno()),
                    str(os.getpid()),
                ],
                pass_fds=[theirs.fileno()],
                env=_environment(),
                stdin=subprocess.DEVNULL,
                stdout=self._log,
                stderr=self._log,
            )
        finally:
            # Else the end of the other process would never be seen.
            theirs.close()
        try:
            self.call("start", settings)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """Number of the agents' process."""
        return self._process.pid

    def call(
        self,
        method: str,
        *arguments: Any,
        answer: Callable[..., Any] | None = None,
    ) -> Any:
        """Calls a method of the `AgentSession`.

        Args:
            method: Its name.
            *arguments: Its arguments, arrays and plain values.
            answer: Called with the name and the arguments of what the
                session asks on its way.

        Returns:
            What the method returns.

        Raises:
            AgentError: If the process fails or is gone.
            ValueError: If it asks, and there is no `answer`.
        """
        if self._connection.closed:
            raise AgentError(
                f"The agents' process was closed. Received: method={method!r}"
            )
        self._send((method, arguments))
        kind, *content = self._receive()
        while kind == "ask":
            name, questions = content
            if answer is None:
                # What follows on the pipe would answer something else.
                self.close()
                raise ValueError(
                    f"`answer` is needed, as {method!r} asks for {name!r}. "
                    "Received: answer=None"
                )
            self._send(answer(name, *questions))
            kind, *content = self._receive()
        if kind == "error":
            raise AgentError(f"The agents' process failed:\n{content[0]}")
        return content[0]

    def close(self) -> None:
        """Ends the process."""
        # It leaves when nobody is at the other end any more.
        self._connection.close()
        self._end()
        self._log.close()

    def __enter__(self) -> "AgentProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _send(self, message: Any) -> None:
        try:
            self._connection.send(message)
        except OSError as error:
            raise self._gone() from error

    def _receive(self) -> Any:
        try:
            return self._connection.recv()
        except (EOFError, OSError) as error:
            raise self._gone() from error

    def _end(self) -> int:
        try:
            return self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _gone(self) -> AgentError:
        code = self._end()
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").splitlines()
        last = "\n".join(lines[-10:])
        return AgentError(
            f"The agents' process ended with code {code}. A search with a "
            "`checkpoint_dir` goes on where it stood when `fit` is called "
            f"again. Its last words:\n{last}"
        )


def _environment() -> dict[str, str]:
    return {
        **os.environ,
        "TF_USE_LEGACY_KERAS": "1",
        # The networks are small; the GPU's memory is the recommender's.
        "CUDA_VISIBLE_DEVICES": "-1",
        "KERAS_BACKEND": "tensorflow",
        # The same import path as here, wherever that came from.
        "PYTHONPATH": os.pathsep.join(p or os.getcwd() for p in sys.path),
    }
