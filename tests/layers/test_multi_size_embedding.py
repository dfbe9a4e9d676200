import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import MultiSizeEmbedding
from tests.testing import run_layer_test

IDS = np.array([0, 4, 2, 2, 1, 6], "int32")
DIMS = [1, 2, 4]


def make(**kwargs):
    """Candidates whose normalisation does something."""
    keras.utils.set_random_seed(0)
    layer = MultiSizeEmbedding(7, DIMS, **{"output_dim": 3, **kwargs})
    random = np.random.default_rng(1)
    layer.embeddings.assign(random.normal(size=layer.embeddings.shape))
    for variable, low in zip(
        layer.normalization.variables, (0.5, -1, -1, 0.5), strict=True
    ):
        variable.assign(random.uniform(low, low + 2, variable.shape))
    return layer


def mapped(layer, ids, index):
    """`W_n^T e_n` of one candidate."""
    return layer.candidate(index)[ids] @ layer.kernels[index].numpy()


def channels(layer, index):
    """Scale, shift, moving mean and variance of one candidate."""
    width = layer.output_dim
    return [
        v.numpy()[index * width : (index + 1) * width]
        for v in layer.normalization.variables
    ]


def test_layer():
    run_layer_test(
        make,
        IDS,
        expected_shape=(6, 3, 3),
        table=lambda layer: layer.embeddings,
    )


@pytest.mark.parametrize("ids", [IDS, IDS.reshape(3, 2), IDS[0]])
def test_inference_against_numpy(ids):
    layer = make()
    output = np.asarray(layer(ids))
    assert output.shape == (*ids.shape, 3, 3)
    for index in range(3):
        gamma, beta, mean, variance = channels(layer, index)
        normal = (mapped(layer, ids, index) - mean) / np.sqrt(variance + 1e-5)
        expected = np.tanh(gamma * normal + beta)
        np.testing.assert_allclose(output[..., index, :], expected, atol=1e-6)


def test_training_normalises_each_candidate_by_its_own_batch():
    layer = make(momentum=0.8)
    before = [channels(layer, index) for index in range(3)]
    output = np.asarray(layer(IDS, training=True))
    for index in range(3):
        gamma, beta, mean, variance = before[index]
        vectors = mapped(layer, IDS, index)
        normal = (vectors - vectors.mean(0)) / np.sqrt(vectors.var(0) + 1e-5)
        expected = np.tanh(gamma * normal + beta)
        np.testing.assert_allclose(output[:, index], expected, atol=1e-5)
        _, _, new_mean, new_variance = channels(layer, index)
        np.testing.assert_allclose(
            new_mean, 0.8 * mean + 0.2 * vectors.mean(0), atol=1e-6
        )
        np.testing.assert_allclose(
            new_variance, 0.8 * variance + 0.2 * vectors.var(0), atol=1e-6
        )


@pytest.mark.parametrize("index", range(3))
def test_affine_is_the_candidate_in_inference(index):
    layer = make()
    kernel, bias = layer.affine(index)
    assert kernel.shape == (DIMS[index], 3) and bias.shape == (3,)
    expected = np.asarray(layer(np.arange(7)))[:, index]
    found = np.tanh(layer.candidate(index) @ kernel + bias)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_candidates_stand_side_by_side():
    layer = make()
    parts = [layer.candidate(index) for index in range(3)]
    assert [part.shape for part in parts] == [(7, 1), (7, 2), (7, 4)]
    np.testing.assert_array_equal(
        np.concatenate(parts, 1), layer.embeddings.numpy()
    )


def test_a_candidate_reaches_its_own_columns_and_kernel_only():
    layer = make()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(IDS)[:, 1] ** 2)
    table, *kernels = tape.gradient(
        loss, [layer.embeddings.value, *(k.value for k in layer.kernels)]
    )
    table = tf.convert_to_tensor(table).numpy()
    assert (table[:, 1:3] != 0).any(1).tolist() == [
        row in IDS for row in range(7)
    ]
    assert not table[:, :1].any() and not table[:, 3:].any()
    assert [np.abs(k).max() > 0 for k in kernels] == [False, True, False]


def test_output_is_as_wide_as_the_widest_candidate():
    layer = MultiSizeEmbedding(5, [2, 6])
    assert layer.output_dim == 6
    assert layer.num_sizes == 2


@pytest.mark.parametrize(
    "dims", [[], [0, 2], [4, 2], [2, 2], [2.5, 4], ["2", "4"]]
)
def test_refuses_dims(dims):
    with pytest.raises(ValueError, match="`dims` must be positive, ascending"):
        MultiSizeEmbedding(5, dims)


@pytest.mark.parametrize(
    ("name", "value"),
    [("vocabulary_size", v) for v in (0, 2.5, None)] + [("output_dim", -1)],
)
def test_refuses_sizes(name, value):
    sizes = {"vocabulary_size": 5, "output_dim": 3, name: value}
    with pytest.raises(ValueError, match=f"`{name}` must be a positive"):
        MultiSizeEmbedding(dims=[2, 4], **sizes)
