import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import DenseEmbedding
from keras_emb.zoo.backbones.all_rows import AllRows, all_rows
from keras_emb.zoo.backbones.ngcf import NeighbourInteraction
from keras_emb.zoo.backbones.pair_dot_product import PairDotProduct
from keras_emb.zoo.backbones.squared_norms import SquaredNorms
from tests.testing import run_layer_test

# Pairs in no order, some of them twice, some rows in none.
USER_IDS = np.array([3, 0, 3, 3, 1, 0, 3], "int32")
ITEM_IDS = np.array([2, 0, 2, 4, 4, 0, 1], "int32")


def rows(seed=0, dim=3):
    rng = np.random.default_rng(seed)
    return [rng.normal(size=(count, dim)).astype("float32") for count in (5, 6)]


def gathered(users, items, user_ids, item_ids):
    products = tf.gather(users, user_ids) * tf.gather(items, item_ids)
    return tf.reduce_sum(products, axis=-1, keepdims=True)


def gradients(dots, inputs, weights):
    users, items = (tf.constant(side) for side in rows())
    with tf.GradientTape() as tape:
        tape.watch([users, items])
        scores = dots(users, items, *inputs)
        loss = tf.reduce_sum(tf.sin(scores[:, 0]) * weights)
    return tape.gradient(loss, [users, items])


def test_pair_dot_product_is_the_dot_product_of_the_rows():
    users, items = rows()
    found = PairDotProduct()([users, items, USER_IDS, ITEM_IDS])
    expected = (users[USER_IDS] * items[ITEM_IDS]).sum(1, keepdims=True)
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("dtype", ["int32", "int64"])
@pytest.mark.parametrize(
    "pairs",
    [
        (USER_IDS, ITEM_IDS),
        (USER_IDS[:1], ITEM_IDS[:1]),
        (np.zeros(9, int), np.full(9, 5)),
        (np.arange(5)[::-1], np.arange(5)),
    ],
)
def test_pair_dot_product_has_the_gradient_of_gathered_rows(pairs, dtype):
    inputs = [ids.astype(dtype) for ids in pairs]
    weights = np.linspace(1, 3, len(inputs[0])).astype("float32")
    layer = PairDotProduct()

    def by_layer(*arguments):
        return layer(list(arguments))

    expected = [
        tf.convert_to_tensor(gradient)
        for gradient in gradients(gathered, inputs, weights)
    ]
    for step in (gradients, tf.function(gradients)):
        found = step(by_layer, inputs, weights)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


def test_pair_dot_product_with_many_repeated_pairs():
    rng = np.random.default_rng(0)
    inputs = [rng.integers(0, 5, 5000).astype("int32") for _ in range(2)]
    weights = rng.normal(size=5000).astype("float32")
    found = gradients(lambda *a: PairDotProduct()(list(a)), inputs, weights)
    expected = gradients(gathered, inputs, weights)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(
            one, tf.convert_to_tensor(other), rtol=1e-4, atol=1e-3
        )


def test_pair_dot_product():
    run_layer_test(
        PairDotProduct,
        [*rows(), USER_IDS, ITEM_IDS],
        expected_shape=(7, 1),
        jit_compile=False,
        dynamic_batch=False,
    )
    assert not PairDotProduct().supports_jit


def test_squared_norms():
    run_layer_test(
        SquaredNorms,
        [rows()[0], USER_IDS],
        expected_shape=(7,),
        dynamic_batch=False,
    )
    found = SquaredNorms()([rows()[0], USER_IDS])
    np.testing.assert_allclose(
        found, (rows()[0][USER_IDS] ** 2).sum(1), rtol=1e-5
    )


def test_all_rows_answers_whatever_it_is_asked():
    run_layer_test(
        lambda **kwargs: AllRows(4, **kwargs),
        USER_IDS,
        expected_shape=(4,),
        mixed_precision=False,
        dynamic_batch=False,
    )
    assert AllRows(4)(USER_IDS).numpy().tolist() == [0, 1, 2, 3]
    tables = {
        name: DenseEmbedding(count, 2)
        for name, count in (("user", 3), ("item", 5))
    }
    for found, table in zip(all_rows(tables), tables.values(), strict=True):
        np.testing.assert_array_equal(found, table.values())


def test_neighbour_interaction():
    received, own = rows()[0], rows(1)[0]

    def make(**kwargs):
        keras.utils.set_random_seed(0)
        return NeighbourInteraction(4, 0.5, **kwargs)

    run_layer_test(make, received, own, expected_shape=(5, 4))
    layer = make()
    layer(received, own)
    for dense in (layer.sum, layer.product):
        dense.bias.assign(np.linspace(-1, 1, 4))

    def leaky(values):
        return np.where(values > 0, values, 0.2 * values)

    def dense(kind, values):
        return values @ kind.kernel.numpy() + kind.bias.numpy()

    np.testing.assert_allclose(
        layer(received, own),
        leaky(dense(layer.sum, received))
        + leaky(dense(layer.product, received * own)),
        rtol=1e-5,
        atol=1e-6,
    )
    dropped = np.asarray(layer(received, own, training=True))
    assert (dropped == 0).any() and (dropped != 0).any()
