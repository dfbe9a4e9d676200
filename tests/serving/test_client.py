import socket

import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import find_tables, table_values
from keras_emb.serving import Client, ServingError, export_recommender
from keras_emb.serving.serving_api import predict_request
from keras_emb.zoo.backbones import MatrixFactorization
from tests.serving.c_server import CError, CServer
from tests.serving.malformed import raw_requests, strange_users, wrong_calls
from tests.serving.recommenders import (
    CLICK_VOCABULARIES,
    VOCABULARIES,
    all_scores,
    click_model,
    compact_recommender,
    counting_recommender,
)
from tests.serving.stub_servers import grpc_server, rest_server


@pytest.fixture(scope="module")
def model():
    return compact_recommender(MatrixFactorization)


@pytest.fixture(scope="module")
def c_server(model, c_program, tmp_path_factory):
    """The exported model, in another folder than it was exported to."""
    path = tmp_path_factory.mktemp("served")
    folder = export_recommender(model, VOCABULARIES, path / "here", max_k=20)
    moved = folder.rename(path / "elsewhere")
    with CServer(c_program, moved) as server:
        yield server


@pytest.fixture(scope="module")
def addresses(c_server):
    servers = {("movies", 1): c_server, ("movies", "canary"): c_server}
    with grpc_server(servers) as grpc, rest_server(servers) as rest:
        yield {"grpc": grpc, "rest": rest}


@pytest.fixture(scope="module", params=["grpc", "rest"])
def client(request, addresses):
    address = addresses[request.param]
    with Client(
        address, "movies", protocol=request.param, timeout=60
    ) as client:
        yield client


def test_predicts(client, model):
    users, items = [3, 30, 1], [1, 7, 24]
    expected = all_scores(model)[users, items]
    answer = client.predict(
        VOCABULARIES["user"].raw(users), VOCABULARIES["item"].raw(items)
    )
    np.testing.assert_allclose(answer["rating"][:, 0], expected, 1e-5, 1e-6)
    assert answer["rating"].dtype == np.float32
    assert answer["is_known"].tolist() == [True] * 3
    by_row = client.predict(users, items, by_row=True)
    np.testing.assert_array_equal(by_row["rating"], answer["rating"])
    unknown = client.predict(["nobody"], [VOCABULARIES["item"].raw(7)])
    assert unknown["is_known"].tolist() == [False]
    np.testing.assert_allclose(
        unknown["rating"][0, 0], all_scores(model)[0, 7], 1e-5
    )


def test_recommends(client, model):
    scores = all_scores(model)[[4, 9]]
    scores[:, 0] = -np.inf
    seen = [np.argsort(-scores[0])[:3], []]
    scores[0, seen[0]] = -np.inf
    items = np.argsort(-scores, axis=1, kind="stable")[:, :5]
    raw = VOCABULARIES["item"].raw
    answer = client.recommend(
        ["usér 4", "usér 9".encode()],
        k=5,
        seen=[raw(seen[0]).tolist(), []],
    )
    np.testing.assert_array_equal(answer["item"], raw(items))
    np.testing.assert_allclose(
        answer["score"], np.take_along_axis(scores, items, 1), 1e-4
    )
    by_row = client.recommend([4, 9], k=5, seen=seen, by_row=True)
    np.testing.assert_array_equal(by_row["item"], items)
    all_seen = [raw(np.arange(1, 25))]
    nothing = client.recommend("usér 4", k=2, seen=all_seen)
    assert nothing["item"].tolist() == [[-1, -1]]
    assert np.isneginf(nothing["score"]).all()
    assert client.recommend(["usér 4"])["item"].shape == (1, 10)


def test_embeds(client, model):
    tables = {n: table_values(t) for n, t in find_tables(model).items()}
    answer = client.embed(user=["usér 2", "?"])
    np.testing.assert_allclose(answer["user"], tables["user"][[2, 0]], 1e-6)
    assert answer["item"].shape[0] == 0
    assert answer["user_is_known"].tolist() == [True, False]
    answer = client.embed(item=[3], by_row=True)
    np.testing.assert_allclose(answer["item"], tables["item"][[3]], 1e-6)


def test_refuses_what_does_not_fit_the_model(client):
    rng = np.random.default_rng(0)
    for method, arguments in wrong_calls(rng):
        with pytest.raises((ValueError, ServingError)) as error:
            getattr(client, method)(**arguments)
        assert str(error.value)
    with pytest.raises(ServingError, match="INVALID_ARGUMENT.*`k` must be"):
        client.recommend(["usér 1"], k=21)
    with pytest.raises(ValueError, match="no signature 'observe'; it has"):
        client.observe(["usér 1"], [5])
    with pytest.raises(ValueError, match="`item` must hold integers that fit"):
        client.predict([1], [2**31], by_row=True)


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_popularity_is_observed_and_given(c_program, tmp_path, protocol):
    model = counting_recommender()
    folder = export_recommender(model, VOCABULARIES, tmp_path)
    users = ["usér 3", "usér 3", "nobody"]
    items = VOCABULARIES["item"].raw([1, 2, 2])
    with CServer(c_program, folder) as server:
        servers = {("movies", 1): server}
        stub = grpc_server if protocol == "grpc" else rest_server
        with (
            stub(servers) as address,
            Client(address, "movies", protocol=protocol, timeout=60) as client,
        ):
            before = client.predict(users, items)["output"]
            counts = client.observe(users, items)
            assert counts["user_popularity"].tolist() == [2, 2, 1]
            after = client.predict(users, items)["output"]
            popularity = {"user": [2, 2, 1], "item": [1, 2, 2]}
            given = client.predict(users, items, popularity=popularity)
            never = {name: [0, 0, 0] for name in popularity}
            unseen = client.predict(users, items, popularity=never)
            again = client.predict(users, items)["output"]
            rows = client.predict(
                [3, 3, 0], [1, 2, 2], popularity=popularity, by_row=True
            )
            with pytest.raises(ValueError, match="'serve_popularity' has the"):
                client.predict(users, items, popularity={"user": [1, 1, 1]})
    np.testing.assert_allclose(given["output"], after, 1e-6)
    np.testing.assert_allclose(rows["output"], after, 1e-6)
    np.testing.assert_array_equal(again, after)
    assert np.abs(unseen["output"] - after).max() > 1e-3
    assert np.abs(after - before).max() > 1e-3


def test_strange_ids_are_unknown(client, model):
    known = VOCABULARIES["item"].raw([2])
    expected = all_scores(model)[0, 2]
    for users in strange_users(np.random.default_rng(0)):
        answer = client.predict(users, known[: len(users)])
        assert answer["is_known"].tolist() == [False] * len(users)
        np.testing.assert_allclose(
            answer["rating"].reshape(-1), [expected] * len(users), 1e-5
        )


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_versions_and_labels(protocol, addresses):
    for which, found in (
        ({"version": 1}, True),
        ({"version_label": "canary"}, True),
        ({"version": 7}, False),
        ({"version_label": "stable"}, False),
    ):
        with Client(
            addresses[protocol],
            "movies",
            protocol=protocol,
            timeout=60,
            **which,
        ) as client:
            if found:
                assert client.predict(["?"], [1])["rating"].shape == (1, 1)
                continue
            with pytest.raises(ServingError, match="Servable not found") as no:
                client.predict(["?"], [1])
            assert no.value.code == "NOT_FOUND"


@pytest.mark.parametrize("protocol", ["grpc", "rest"])
def test_says_when_there_is_no_answer(protocol):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServingError) as error:
            Client(address, "m", protocol=protocol, timeout=2).predict([], [])
        assert error.value.code in ("UNAVAILABLE", "DEADLINE_EXCEEDED")
    # Another port: gRPC remembers for a while that one was closed.
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        address = f"127.0.0.1:{silent.getsockname()[1]}"
        with pytest.raises(ServingError) as error:
            Client(address, "m", protocol=protocol, timeout=0.3).predict([], [])
        assert error.value.code == "DEADLINE_EXCEEDED"


def test_refuses_wrong_settings():
    for settings, text in (
        ({"protocol": "soap"}, "`protocol` must be"),
        ({"timeout": 0}, "`timeout` must be positive"),
        ({"version": 1, "version_label": "a"}, "Only one of `version`"),
    ):
        with pytest.raises(ValueError, match=text):
            Client("localhost:1", "m", **settings)


def test_models_of_other_inputs_are_asked_by_name(c_program, tmp_path):
    model = click_model()
    folder = export_recommender(model, CLICK_VOCABULARIES, tmp_path)
    ids = {"user": [1003, 7], "price": ["known", "known"]}
    genres = [["Drama"], ["Crime", "Comédie"]]
    expected = model(
        {
            "user": np.array([3, 0]),
            "genres": np.array([[2, 0, 0], [1, 3, 0]]),
            "price": np.array([1, 1]),
            "price_value": np.array([2.0, 3.0], "float32"),
        }
    )
    with (
        CServer(c_program, folder) as server,
        grpc_server({("clicks", 1): server}) as address,
        Client(address, "clicks") as client,
    ):
        answer = client.predict(**ids, genres=genres, price_value=[2.0, 3.0])
        np.testing.assert_allclose(answer["logit"], expected, rtol=1e-5)
        assert answer["is_known"].tolist() == [True, False]
        assert client.embed(genres=genres)["genres"].shape == (2, 3, 4)
        with pytest.raises(ValueError, match="has the inputs.*Received"):
            client.predict(**ids)
        for bad, message in (
            ({"genres": [["Crime"] * 4] * 2}, "at most 3 values"),
            ({"price_value": ["a", "b"]}, "must hold numbers"),
            ({"price_value": [[1.0], [2.0]]}, "1 dimensions"),
        ):
            good = {**ids, "genres": genres, "price_value": [2.0, 3.0]}
            with pytest.raises(ValueError, match=message):
                client.predict(**{**good, **bad})
        again = client.predict(
            **ids, genres=np.array([["Drama"], ["Crime"]]), price_value=[2, 3]
        )
        np.testing.assert_allclose(again["logit"][0], expected[0], rtol=1e-5)


def test_the_c_program_answers_the_same_bytes_as_python(c_server):
    loaded = tf.saved_model.load(str(c_server.folder))
    users = np.array(["usér 5".encode(), b"?"], object)
    items = VOCABULARIES["item"].raw([4, 5])
    for name, inputs in (
        ("serving_default", {"user": users, "item": items}),
        ("embed", {"user": users, "item": items[:1]}),
        (
            "recommend",
            {"user": users, "seen": items[:, None], "k": np.int32(4)},
        ),
    ):
        expected = loaded.signatures[name](
            **{key: tf.constant(value) for key, value in inputs.items()}
        )
        answer = c_server.predict(name, inputs)
        assert set(answer) == set(expected)
        for key, value in expected.items():
            if value.dtype.is_floating:
                np.testing.assert_allclose(answer[key], value, 1e-5, 1e-6)
            else:
                np.testing.assert_array_equal(answer[key], value)


def test_malformed_requests_are_refused_or_answered_as_defined(c_server):
    unknown = c_server.predict(
        "serving_default",
        {"user": np.array([b"?"], object), "item": np.array([0])},
    )["rating"]
    outcomes = {True: 0, False: 0}
    for request, answered, users in raw_requests(250):
        try:
            answer = c_server.answer(request)
            assert answered is not False
        except CError as error:
            assert answered is not True, error
            assert str(error)
            answer = None
        outcomes[answer is not None] += 1
        if answered and users == 0:
            assert answer is not None
    assert min(outcomes.values()) > 20
    # It still answers, and the same.
    again = c_server.predict(
        "serving_default",
        {"user": np.array([b"?"], object), "item": np.array([0])},
    )["rating"]
    np.testing.assert_array_equal(again, unknown)


def test_requests_have_what_a_server_reads():
    request = predict_request(
        "m", "embed", {"user": np.array([1])}, version_label="canary"
    )
    assert request.model_spec.version_label == "canary"
    assert not request.model_spec.HasField("version")
    request = predict_request("m", "embed", {}, version=3)
    assert request.model_spec.version.value == 3
