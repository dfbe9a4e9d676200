"""Ten thousand requests with something wrong, to a server and a client.

Wrong types and shapes, inputs that are missing or that nobody knows, empty
batches, absurd k, ids that are no text, ids of a megabyte, messages cut off or
spoilt. The server is the exported SavedModel in TensorFlow's C API; the client
asks it over gRPC. Every request must be refused with a reason, or answered as
the documentation says: unknown ids as row 0. A request that makes sense is
repeated all the while, and must be answered the same each time. The memory of
the server is compared between the end of the first thousand requests and the
end of the last.
"""

import re
import tempfile
from typing import Any

import numpy as np

from benchmarks.report import finish
from keras_emb.serving import Client, ServingError, export_recommender
from keras_emb.zoo import MatrixFactorization
from tests.serving.c_server import CError, CServer, build
from tests.serving.malformed import raw_requests, strange_users, wrong_calls
from tests.serving.recommenders import VOCABULARIES, compact_recommender
from tests.serving.stub_servers import grpc_server

RAW, CALLS, WARM_UP = 8_000, 2_000, 1_000


def megabytes(server: CServer) -> float:
    """What the server holds of its own."""
    found = re.search(r"RssAnon:\s+(\d+) kB", server.status())
    return int(found[1]) / 1024 if found else float("nan")


class Counts:
    """What has become of the requests."""

    def __init__(self, server: CServer) -> None:
        self._server = server
        self.refused = self.answered = self.wrong = 0
        self._expected = self._sensible()

    def _sensible(self) -> Any:
        users = np.array([b"us\xc3\xa9r 3", b"nobody"], object)
        items = VOCABULARIES["item"].raw([4, 5])
        inputs = {"user": users, "item": items}
        return self._server.predict("serving_default", inputs)["rating"]

    def check(self) -> None:
        """Whether a request that makes sense is answered as ever."""
        if not np.array_equal(self._sensible(), self._expected):
            self.wrong += 1

    def raw(self, request: bytes, answered: bool | None) -> None:
        """Sends one message."""
        try:
            self._server.answer(request)
        except CError:
            self.refused += 1
            self.wrong += answered is True
        else:
            self.answered += 1
            self.wrong += answered is False

    def call(self, client: Client, method: str, **arguments: Any) -> None:
        """Lets a client make one wrong call."""
        try:
            getattr(client, method)(**arguments)
        except (ServingError, ValueError):
            self.refused += 1
        else:
            self.wrong += 1

    def strange(self, client: Client, users: Any) -> None:
        """Lets a client ask for users that nobody knows."""
        items = VOCABULARIES["item"].raw(np.full(len(users), 5))
        answer = client.predict(users, items)
        self.answered += 1
        expected = np.full(len(users), self._expected[1, 0])
        self.wrong += not np.allclose(answer["rating"][:, 0], expected, 1e-6)
        self.wrong += bool(answer["is_known"].any())


def main() -> None:
    """Sends them and reports."""
    with tempfile.TemporaryDirectory() as name:
        program = build(name)
        if program is None:
            raise SystemExit("needs gcc")
        folder = export_recommender(
            compact_recommender(MatrixFactorization), VOCABULARIES, name
        )
        with CServer(program, folder) as server:
            counts = Counts(server)
            with (
                grpc_server({("m", 1): server}) as address,
                Client(address, "m", timeout=60) as client,
            ):
                random = np.random.default_rng(0)
                calls = 0
                for number, (request, answered, _) in enumerate(
                    raw_requests(RAW)
                ):
                    counts.raw(request, answered)
                    if number == WARM_UP:
                        before = megabytes(server)
                    if number % 100 == 0:
                        counts.check()
                while calls < CALLS:
                    for method, arguments in wrong_calls(random):
                        counts.call(client, method, **arguments)
                        calls += 1
                    for users in strange_users(random):
                        counts.strange(client, users)
                        calls += 1
                    counts.check()
            after = megabytes(server)
    finish(
        "serving_malformed",
        {
            "requests": counts.refused + counts.answered,
            "refused": counts.refused,
            "answered": counts.answered,
            "wrong": counts.wrong,
            "megabytes_before": before,
            "megabytes_after": after,
            "megabytes_grown": after - before,
        },
        {
            "requests": (">=", RAW + CALLS),
            "wrong": ("<=", 0),
            "megabytes_grown": ("<=", 20),
        },
    )


if __name__ == "__main__":
    main()
