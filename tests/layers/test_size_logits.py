import numpy as np
import tensorflow as tf

from keras_emb.layers import SizeLogits
from tests.testing import run_layer_test

IDS = np.array([0, 3, 2, 3], "int32")
LOGITS = np.random.default_rng(0).normal(size=(5, 3))


def make(**kwargs):
    layer = SizeLogits(5, 3, **kwargs)
    layer.logits.assign(LOGITS)
    return layer


def test_layer():
    run_layer_test(
        make,
        IDS,
        expected_shape=(4, 3),
        table=lambda layer: layer.logits,
    )


def test_weights_are_the_softmax_of_the_ids_own_numbers():
    powers = np.exp(LOGITS[IDS.reshape(2, 2)])
    expected = powers / powers.sum(-1, keepdims=True)
    np.testing.assert_allclose(make()(IDS.reshape(2, 2)), expected, rtol=1e-5)


def test_starts_with_equal_weights():
    layer = SizeLogits(4, 4)
    np.testing.assert_array_equal(layer.logits.numpy(), np.full((4, 4), 0.25))
    np.testing.assert_array_equal(layer(IDS), np.full((4, 4), 0.25))


def test_only_the_ids_of_a_batch_learn():
    layer = make()
    with tf.GradientTape() as tape:
        loss = tf.reduce_sum(layer(IDS)[:, 0])
    gradient = tape.gradient(loss, layer.logits.value)
    rows = tf.convert_to_tensor(gradient).numpy().any(1)
    assert rows.tolist() == [True, False, True, True, False]


def test_computes_in_float32_under_any_policy():
    assert make(dtype="mixed_float16")(IDS).dtype == "float32"
