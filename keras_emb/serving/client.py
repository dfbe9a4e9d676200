"""Asking a served recommender."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Literal, Self

import numpy as np
import numpy.typing as npt
import tensorflow as tf

from keras_emb.serving.grpc_transport import GrpcTransport
from keras_emb.serving.rest_transport import RestTransport

__all__ = ["Client"]


class Client:
    """A recommender behind TensorFlow Serving.

    Asks what `export_recommender` has written. The server is asked once for
    the types of its ids; requests that do not fit are refused before they are
    sent.

        with Client("localhost:8500", "movies") as client:
            client.recommend(["usr_17"], k=10, seen=[["mov_3", "mov_4"]])

    Args:
        address: `host:port`; TensorFlow Serving's own ports are 8500 for
            gRPC and 8501 for REST.
        model: Name under which the server has the model.
        protocol: `"grpc"` or `"rest"`.
        version: Version to ask; the server's choice by default.
        version_label: Label of the version to ask, such as `"canary"`,
            instead.
        timeout: Seconds to wait for an answer.

    Raises:
        ValueError: If the protocol is another, the timeout is not positive,
            or version and label are both given.
        ImportError: If tensorflow-serving-api is not installed.
    """

    def __init__(
        self,
        address: str,
        model: str,
        *,
        protocol: Literal["grpc", "rest"] = "grpc",
        version: int | None = None,
        version_label: str | None = None,
        timeout: float = 5.0,
    ) -> None:
        if protocol not in ("grpc", "rest"):
            raise ValueError(
                "`protocol` must be 'grpc' or 'rest'. "
                f"Received: protocol={protocol!r}"
            )
        if version is not None and version_label is not None:
            raise ValueError(
                "Only one of `version` and `version_label` can be given. "
                f"Received: {version} and {version_label!r}"
            )
        if not timeout > 0:
            raise ValueError(
                f"`timeout` must be positive. Received: timeout={timeout}"
            )
        kind: type[GrpcTransport] | type[RestTransport]
        kind = GrpcTransport if protocol == "grpc" else RestTransport
        self._transport = kind(address, model, version, version_label, timeout)
        self._signatures: dict[str, Any] | None = None

    def predict(
        self,
        user: Any = None,
        item: Any = None,
        *,
        popularity: Mapping[str, Any] | None = None,
        by_row: bool = False,
        **inputs: Any,
    ) -> dict[str, npt.NDArray[Any]]:
        """What the model predicts: scores of pairs, or of clicks.

        Args:
            user: Ids of shape `(n,)`: integers, or strings or bytes.
            item: Ids of shape `(n,)`.
            popularity: How often each id is to count as seen, `(n,)`, by
                input; for models that keep count, whose own counts stay.
            by_row: Whether the ids are rows of the tables.
            **inputs: What the model takes besides, by name; lists of ids for
                an input of several values.

        Returns:
            The model's output, `(n, 1)` for one score, by its name, and, where
            no popularity is given, `is_known`, `(n,)`.

        Raises:
            ValueError: If an input is missing, or is not of the model's kind
                or shape.
            ServingError: If the server refuses, or does not answer in time.
        """
        pair = {"user": user, "item": item}
        given = {name: ids for name, ids in pair.items() if ids is not None}
        given |= inputs
        if popularity is None:
            return self._ask("serving_default", by_row, given)
        counts = {f"{name}_popularity": n for name, n in popularity.items()}
        return self._ask("serve_popularity", by_row, {**given, **counts})

    def recommend(
        self,
        user: Any,
        *,
        k: int = 10,
        seen: Any = None,
        by_row: bool = False,
    ) -> dict[str, npt.NDArray[Any]]:
        """The items with the highest scores for each user.

        Args:
            user: Ids of shape `(n,)`.
            k: How many.
            seen: For each user a list of items to leave out; their lengths
                may differ.
            by_row: Whether the ids are rows of the tables.

        Returns:
            `item` and `score`, `(n, k)`, and `is_known`, `(n,)`. A place that
            no item is left for holds `-1` or `b""` (row 0 with `by_row`) and
            the score minus infinity.

        Raises:
            ValueError: If an input is not of the model's kind or shape.
            ServingError: If the server refuses, or does not answer in time.
        """
        if seen is None:
            seen = [()] * len(np.atleast_1d(_array(user)))
        values = {"user": user, "seen": seen, "k": k}
        return self._ask("recommend", by_row, values)

    def embed(
        self, *, by_row: bool = False, **ids: Any
    ) -> dict[str, npt.NDArray[Any]]:
        """What the tables answer for ids.

        Args:
            by_row: Whether the ids are rows of the tables.
            **ids: Ids by input, such as `user` of shape `(n,)`; inputs need
                not be equally long, and can be left out (over REST not
                those of several values).

        Returns:
            Vectors of shape `(n, dim)`, or `(n, m, dim)` for several values,
            by the table's name, and `<input>_is_known`, `(n,)`, for every
            input.

        Raises:
            ValueError: If the ids are not of the model's kind or shape.
            ServingError: If the server refuses, or does not answer in time.
        """
        return self._ask("embed", by_row, ids, optional=True)

    def observe(
        self, user: Any, item: Any, *, by_row: bool = False
    ) -> dict[str, npt.NDArray[Any]]:
        """Tells a model that keeps count what has happened.

        Args:
            user: Ids of shape `(n,)`.
            item: Ids of shape `(n,)`.
            by_row: Whether the ids are rows of the tables.

        Returns:
            `user_popularity` and `item_popularity`, `(n,)`: the counts now.

        Raises:
            ValueError: If the model keeps no count, or the ids are not of
                its kind or shape.
            ServingError: If the server refuses, or does not answer in time.
        """
        return self._ask("observe", by_row, {"user": user, "item": item})

    def close(self) -> None:
        """Ends the connection."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _ask(
        self,
        name: str,
        by_row: bool,
        values: Mapping[str, Any],
        *,
        optional: bool = False,
    ) -> dict[str, npt.NDArray[Any]]:
        if self._signatures is None:
            # What begins with two underscores is for the server alone.
            self._signatures = {
                key: definition
                for key, definition in self._transport.signatures().items()
                if not key.startswith("__")
            }
        signature = f"{name}_rows" if by_row else name
        if signature not in self._signatures:
            raise ValueError(
                f"The model has no signature {signature!r}; it has "
                f"{sorted(self._signatures)}."
            )
        specs = self._signatures[signature].inputs
        if set(values) - set(specs) or not (
            optional or set(values) == set(specs)
        ):
            raise ValueError(
                f"The model's {signature!r} has the inputs {sorted(specs)}. "
                f"Received: {sorted(values)}"
            )
        inputs = {
            key: _as_input(key, values.get(key, ()), spec)
            for key, spec in specs.items()
        }
        return self._transport.predict(signature, inputs)


def _as_input(name: str, value: Any, spec: Any) -> np.ndarray:
    """An array as a signature wants it."""
    dtype = tf.as_dtype(spec.dtype)
    rank = len(spec.tensor_shape.dim)
    nothing: Any = b"" if dtype is tf.string else -1
    widths = [dim.size for dim in spec.tensor_shape.dim]
    if rank == 2 and (dtype is tf.string or dtype.is_integer):
        value = _padded(value, nothing, widths[1])
    array = _array(value)
    if rank == 1:
        array = np.atleast_1d(array)
    if array.ndim != rank:
        raise ValueError(
            f"`{name}` must have {rank} dimensions. "
            f"Received: shape {array.shape}"
        )
    if rank == 2 and widths[1] not in (-1, array.shape[1]):
        raise ValueError(
            f"`{name}` must hold at most {widths[1]} values an example. "
            f"Received: shape {array.shape}"
        )
    if dtype is tf.string:
        flat = [_bytes(name, text) for text in array.ravel().tolist()]
        strings = np.empty(len(flat), object)
        strings[:] = flat
        return strings.reshape(array.shape)
    kinds, wanted = "iu", "integers"
    if not dtype.is_integer:
        kinds, wanted = (
            ("b", "booleans") if dtype.is_bool else ("iuf", "numbers")
        )
    if array.size and array.dtype.kind not in kinds:
        raise ValueError(
            f"`{name}` must hold {wanted}. Received: dtype {array.dtype}"
        )
    if not dtype.is_integer:
        return array.astype(dtype.as_numpy_dtype)
    limits = np.iinfo(dtype.as_numpy_dtype)
    if array.size and not (
        limits.min <= int(array.min()) and int(array.max()) <= limits.max
    ):
        raise ValueError(
            f"`{name}` must hold integers that fit {dtype.name}. "
            f"Received: {array.min()} to {array.max()}"
        )
    return array.astype(dtype.as_numpy_dtype)


def _array(value: Any) -> np.ndarray:
    try:
        array = np.asarray(value)
    except ValueError:
        array = np.asarray(value, object)
    # NumPy cuts the zeros that an array of bytes ends with.
    return np.asarray(value, object) if array.dtype.kind in "SU" else array


def _padded(rows: Any, nothing: Any, least: int) -> Any:
    """Lists of one length, `least` or more."""
    if isinstance(rows, np.ndarray) and rows.dtype != object:
        if rows.ndim != 2 or rows.shape[1] >= least:
            return rows
    lists = [list(row) if np.iterable(row) else [row] for row in rows]
    width = max(least, 0, *map(len, lists))
    array = np.empty((len(lists), width), object)
    for number, row in enumerate(lists):
        array[number] = [*row, *[nothing] * (width - len(row))]
    strings = any(isinstance(x, str | bytes) for row in lists for x in row)
    if strings or not array.size:
        return array
    return np.array(array.tolist())


def _bytes(name: str, text: Any) -> bytes:
    if isinstance(text, bytes):
        return text
    if isinstance(text, str):
        return text.encode("utf-8", "surrogateescape")
    raise ValueError(
        f"`{name}` must hold strings. Received: {type(text).__name__}"
    )
