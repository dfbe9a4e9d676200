"""Requests that no server should fall over."""

import numpy as np

from keras_emb.serving.serving_api import predict_request

__all__ = ["raw_requests", "strange_users", "wrong_calls"]

_MEGABYTE = b"x" * (1 << 20)


def _valid(rng):
    """A request that makes sense, for a model of string users."""
    name = str(rng.choice(["serving_default", "recommend", "embed"]))
    count = int(rng.integers(1, 4))
    users = np.array([b"us\xc3\xa9r %d" % n for n in range(count)], object)
    items = rng.integers(0, 2**41, count)
    if name == "recommend":
        seen = rng.integers(0, 2**41, (count, 2))
        k = np.int32(rng.integers(1, 10))
        return name, {"user": users, "seen": seen, "k": k}
    return name, {"user": users, "item": items}


def _wrong_type(rng, inputs):
    name = rng.choice(list(inputs))
    inputs[name] = np.ones(np.shape(inputs[name]), "float32")


def _wrong_rank(rng, inputs):
    name = rng.choice(list(inputs))
    inputs[name] = np.asarray(inputs[name])[None]


def _missing(rng, inputs):
    del inputs[rng.choice(list(inputs))]


def _unexpected(rng, inputs):
    inputs["colour"] = np.arange(3)


def _other_length(rng, inputs):
    other = "item" if "item" in inputs else "seen"
    inputs[other] = np.concatenate([inputs[other]] * 2)


def _empty(rng, inputs):
    for name, value in inputs.items():
        if np.ndim(value):
            inputs[name] = value[:0]


def _absurd_k(rng, inputs):
    inputs["k"] = np.int32(rng.choice([0, -1, 2**31 - 1, -(2**31), 1000]))


def _not_text(rng, inputs):
    inputs["user"] = np.array([rng.bytes(9) for _ in inputs["user"]], object)


def _long(rng, inputs):
    inputs["user"] = np.array([_MEGABYTE for _ in inputs["user"]], object)


# What is done to a request, and whether it may be answered for all that.
_FAULTS = {
    _wrong_type: lambda name: False,
    _wrong_rank: lambda name: False,
    _missing: lambda name: False,
    _unexpected: lambda name: False,
    _other_length: lambda name: name == "embed",
    _empty: lambda name: True,
    _absurd_k: lambda name: False,
    _not_text: lambda name: True,
    _long: lambda name: True,
}


def raw_requests(count, seed=0):
    """Serialized requests with something wrong.

    Yields:
        The request; whether it may be answered (True), must be refused
        (False), or either (None); and the length of the answers it may get.
    """
    rng = np.random.default_rng(seed)
    faults = list(_FAULTS)
    for number in range(count):
        name, inputs = _valid(rng)
        fault = (
            faults[number % (len(faults) + 2)]
            if (number % (len(faults) + 2) < len(faults))
            else None
        )
        if fault is not None:
            fault(rng, inputs)
            answered = _FAULTS[fault](name)
            request = predict_request("m", name, inputs)
            users = len(np.atleast_1d(inputs.get("user", ())))
            yield request.SerializeToString(), answered, users
            continue
        whole = predict_request("m", name, inputs).SerializeToString()
        if number % 2:
            # Cut off anywhere.
            yield whole[: rng.integers(0, len(whole))], None, None
        else:
            # A few bytes are others.
            spoilt = np.frombuffer(whole, np.uint8).copy()
            places = rng.integers(0, len(spoilt), 3)
            spoilt[places] = rng.integers(0, 256, 3)
            yield spoilt.tobytes(), None, None


def wrong_calls(rng):
    """What a careless caller gives a client: a method and its arguments."""
    user, item = ["usér 1"], [5]
    return [
        ("predict", {"user": [1], "item": item}),
        ("predict", {"user": user, "item": ["5"]}),
        ("predict", {"user": user, "item": [0.5]}),
        ("predict", {"user": user, "item": [2**70]}),
        ("predict", {"user": [user], "item": [item]}),
        ("predict", {"user": user, "item": [1, 2]}),
        ("predict", {"user": [None], "item": item}),
        ("recommend", {"user": user, "k": int(rng.integers(26, 2**31))}),
        ("recommend", {"user": user, "k": -1}),
        ("recommend", {"user": user, "k": 2**40}),
        ("recommend", {"user": user, "k": 1.5}),
        ("recommend", {"user": user, "seen": [[1], [2]]}),
        ("recommend", {"user": user, "seen": [["a"]]}),
        ("recommend", {"user": [user]}),
        ("embed", {"user": [[user]]}),
        ("observe", {"user": user, "item": item}),
    ]


def strange_users(rng):
    """Users that nobody knows, and that do no harm."""
    return [
        np.array([rng.bytes(12)], object),
        [_MEGABYTE],
        [""],
        [b"\x00"],
        [],
    ]
