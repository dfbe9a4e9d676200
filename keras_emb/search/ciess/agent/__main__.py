"""Entry of the agents' process; see `keras_emb.search.ciess.AgentProcess`.

The process serves one search over a socket it inherits: it receives
`(method, arguments)` and answers `("result", value)` or
`("error", text)`; in between it may send `("ask", name, arguments)`,
which the other side answers with a value.
"""

import os
import signal
import sys
import threading
import time
import traceback
from multiprocessing.connection import Connection
from typing import Any

__all__ = ["main"]


def _die_with(parent: int) -> None:
    """Ends the process, whatever it is busy with, once the parent is gone."""
    while os.getppid() == parent:
        time.sleep(0.2)
    os._exit(1)


def _serve(connection: Connection) -> None:
    from keras_emb.search.ciess.agent.agent_session import AgentSession

    def ask(name: str, *arguments: Any) -> Any:
        connection.send(("ask", name, arguments))
        return connection.recv()

    session: Any = None
    while True:
        method, arguments = connection.recv()
        if method == "start":
            session = AgentSession(ask, **arguments[0])
            connection.send(("result", None))
        else:
            result = getattr(session, method)(*arguments)
            connection.send(("result", result))


def main() -> None:
    """Serves until it is told to stop, or the other side is gone."""
    handle, parent = map(int, sys.argv[1:])
    # An interrupt from the keyboard is for the parent to handle.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_die_with, args=(parent,), daemon=True).start()
    connection = Connection(handle)
    try:
        _serve(connection)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass
    except Exception:
        connection.send(("error", traceback.format_exc()))


if __name__ == "__main__":
    main()
