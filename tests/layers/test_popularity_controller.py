import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import PopularityController
from keras_emb.layers.popularity_controller import (
    num_popularity_buckets,
    popularity_bucket,
)
from tests.testing import assert_reads_rows_only, run_layer_test

POPULARITY = np.array([0, 3, 9, 9, 4000], "int64")
LAST_WEIGHTS = (
    np.random.default_rng(0).dirichlet(np.ones(3), 5).astype("float32")
)
LAST_LOSS = np.array([0.0, 1.5, 0.25, 0.5, 3.0], "float32")
KINDS = [
    (popularity_input, last_weights, last_loss)
    for popularity_input in ("embedding", "one_hot")
    for last_weights in (True, False)
    for last_loss in (True, False)
]


def make(kind=("embedding", True, False), **kwargs):
    """A controller whose normalisations do something."""
    keras.utils.set_random_seed(0)
    popularity_input, use_last_weights, use_last_loss = kind
    layer = PopularityController(
        3,
        popularity_input,
        use_last_weights,
        use_last_loss,
        **{"cap": 8, "popularity_dim": 4, "hidden_units": 6, **kwargs},
    )
    random = np.random.default_rng(1)
    for normalization in (
        layer.input_normalization,
        layer.hidden_normalization,
    ):
        for variable, low in zip(
            normalization.variables, (0.5, -1, -1, 0.5), strict=True
        ):
            variable.assign(random.uniform(low, low + 2, variable.shape))
    return layer


def inputs_of(kind):
    _, use_last_weights, use_last_loss = kind
    return [
        POPULARITY,
        *([LAST_WEIGHTS] if use_last_weights else []),
        *([LAST_LOSS] if use_last_loss else []),
    ]


def arguments_of(layer):
    named = {
        "popularity": POPULARITY,
        "last_weights": LAST_WEIGHTS,
        "last_loss": LAST_LOSS,
    }
    return {name: named[name] for name in layer.inputs}


def bucket(popularity, cap):
    """In float64, by the definition: four rows for every doubling."""
    popularity = np.asarray(popularity, "float64")
    above = np.floor(4 * np.log2(np.maximum(popularity / cap, 1)) + 1e-9)
    return np.where(
        popularity > cap, cap + 1 + above, np.floor(popularity)
    ).astype(int)


def oracle(layer, popularity, last_weights=None, last_loss=None, training=0):
    """Equation 3 of the specification in float64."""

    def normal(norm, values):
        gamma, beta, mean, variance = (
            v.numpy().astype("float64") for v in norm.variables
        )
        if training:
            mean, variance = values.mean(0), values.var(0)
        return gamma * (values - mean) / np.sqrt(variance + 1e-5) + beta

    def dense(part, values):
        return values @ part.kernel.numpy() + (
            part.bias.numpy() if part.use_bias else 0
        )

    rows = bucket(popularity, layer.cap)
    if layer.popularity_input == "one_hot":
        seen = np.eye(num_popularity_buckets(layer.cap))[rows]
    else:
        seen = layer.lookup.values()[rows].astype("float64")
    features = [normal(layer.input_normalization, seen)]
    if last_weights is not None:
        features.append(last_weights)
    if last_loss is not None:
        features.append(last_loss[:, None])
    hidden = dense(layer.hidden, np.concatenate(features, 1))
    hidden = np.tanh(normal(layer.hidden_normalization, hidden))
    powers = np.exp(dense(layer.logits, hidden))
    return powers / powers.sum(1, keepdims=True)


@pytest.mark.parametrize("kind", [KINDS[0], KINDS[1], KINDS[7]])
def test_layer(kind):
    run_layer_test(
        lambda **kwargs: make(kind, **kwargs),
        *inputs_of(kind),
        expected_shape=(5, 3),
    )


def test_the_lookup_is_never_read_as_a_whole():
    layer = make(KINDS[3])
    assert_reads_rows_only(layer, layer.lookup.embeddings, (POPULARITY,))


@pytest.mark.parametrize("training", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_against_numpy(kind, training):
    layer = make(kind)
    arguments = arguments_of(layer)
    expected = oracle(layer, **arguments, training=training)
    found = layer(**arguments, training=training)
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


def test_training_updates_both_moving_statistics():
    layer = make()
    before = layer.input_normalization.moving_mean.numpy()
    hidden = layer.hidden_normalization.moving_mean.numpy()
    layer(POPULARITY, LAST_WEIGHTS, training=True)
    rows = layer.lookup.values()[bucket(POPULARITY, 8)]
    np.testing.assert_allclose(
        layer.input_normalization.moving_mean.numpy(),
        0.9 * before + 0.1 * rows.mean(0),
        atol=1e-6,
    )
    assert (layer.hidden_normalization.moving_mean.numpy() != hidden).any()


def test_a_call_in_inference_changes_nothing():
    layer = make()
    before = [v.numpy() for v in layer.variables]
    layer(POPULARITY, LAST_WEIGHTS)
    for old, new in zip(before, layer.variables, strict=True):
        np.testing.assert_array_equal(old, new.numpy())


COUNTS = np.unique(
    np.concatenate(
        [np.arange(300), *(2 ** np.arange(1, 62) + d for d in (-1, 0, 1))]
    )
)


@pytest.mark.parametrize("cap", [1, 8, 128, 1000])
@pytest.mark.parametrize("compiled", [False, True])
def test_buckets_against_the_definition(cap, compiled):
    call = tf.function(popularity_bucket, jit_compile=True)
    call = call if compiled else popularity_bucket
    # What float32 can tell from its neighbours.
    counts = COUNTS[COUNTS.astype("float32") == COUNTS]
    found = np.asarray(call(tf.constant(counts), cap))
    np.testing.assert_array_equal(found, bucket(counts, cap))


@pytest.mark.parametrize("cap", [1, 8, 128, 1000])
def test_buckets_rise_by_one_row_at_most_and_fit_the_lookup(cap):
    counts = np.append(COUNTS, 2**63 - 1)
    found = popularity_bucket(counts, cap).numpy()
    assert (np.diff(found) >= 0).all()
    assert found.max() == num_popularity_buckets(cap) - 1
    many = popularity_bucket(np.arange(20 * cap), cap).numpy()
    np.testing.assert_array_equal(many[: cap + 1], np.arange(cap + 1))


def test_buckets_of_faded_popularity_and_of_any_shape():
    faded = np.array([[0.0, 0.99, 3.7], [8.0, 8.01, 8.5]], "float32")
    found = popularity_bucket(faded, 8).numpy()
    assert found.tolist() == [[0, 0, 3], [8, 9, 9]]
    assert int(popularity_bucket(7, 8)) == 7


def test_names_its_inputs():
    every = make(("embedding", True, True))
    assert every.inputs == ("popularity", "last_weights", "last_loss")
    assert make(("one_hot", False, False)).inputs == ("popularity",)


def test_refuses_a_missing_input():
    layer = make(("embedding", True, True))
    for missing in ("last_weights", "last_loss"):
        arguments = {**arguments_of(layer), missing: None}
        with pytest.raises(ValueError, match=f"`{missing}` must be given"):
            layer(**arguments)


@pytest.mark.parametrize(
    "wrong",
    [
        {"num_sizes": 0},
        {"cap": 0},
        {"popularity_dim": 2.5},
        {"hidden_units": -1},
        {"popularity_input": "raw"},
    ],
)
def test_refuses_arguments(wrong):
    with pytest.raises(ValueError, match=f"`{next(iter(wrong))}` must"):
        PopularityController(**{"num_sizes": 3, **wrong})
