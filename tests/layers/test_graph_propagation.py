import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.layers import BipartiteGraph, GraphPropagation
from tests.testing import copy_state, run_layer_test, save_and_load

USERS, ITEMS, DIM = 5, 6, 3

# User 0 and items 0 and 5 have no neighbour.
PAIRS = [(1, 1), (1, 2), (1, 4), (2, 2), (3, 1), (3, 2), (3, 3), (4, 4)]
GRAPH = BipartiteGraph.from_pairs(*zip(*PAIRS, strict=True), USERS, ITEMS)

KINDS = [
    (normalization, self_loops)
    for normalization in ("symmetric", "mean")
    for self_loops in (False, True)
]


@keras.saving.register_keras_serializable(package="tests")
class Mix(keras.layers.Layer):
    """Neighbours through a matrix, and the node itself, cut to the width."""

    def __init__(self, units, **kwargs):
        super().__init__(**kwargs)
        self.units = units
        self.dense = keras.layers.Dense(
            units, bias_initializer="ones", dtype=self.dtype_policy
        )

    def build(self, received_shape, own_shape):
        self.dense.build(received_shape)
        self.built = True

    def call(self, received, own, training=False):
        return self.dense(received * own) + own[:, : self.units]

    def compute_output_shape(self, received_shape, own_shape):
        return (*received_shape[:-1], self.units)

    def get_config(self):
        return {**super().get_config(), "units": self.units}


def make(graph=GRAPH, **kwargs):
    return GraphPropagation.from_graph(graph, **kwargs)


def vectors(seed=0, dim=DIM, graph=GRAPH):
    rng = np.random.default_rng(seed)
    return tuple(
        rng.normal(size=(rows, dim)).astype("float32")
        for rows in (graph.num_users, graph.num_items)
    )


def step_matrix(pairs, normalization, self_loops, users=USERS, items=ITEMS):
    nodes = users + items
    adjacency = np.zeros((nodes, nodes))
    for user, item in pairs:
        adjacency[user, users + item] = adjacency[users + item, user] = 1
    if self_loops:
        adjacency += np.eye(nodes)
    degrees = adjacency.sum(axis=1)
    inverse = np.divide(1, degrees, where=degrees > 0, out=np.zeros(nodes))
    if normalization == "mean":
        return inverse[:, None] * adjacency
    return np.sqrt(inverse)[:, None] * adjacency * np.sqrt(inverse)


def flat(layers):
    return [np.concatenate([np.asarray(x) for x in pair]) for pair in layers]


def assert_equal_layers(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(flat(found), expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("normalization", "self_loops"), KINDS)
@pytest.mark.parametrize("num_steps", [1, 3])
def test_steps_are_powers_of_the_matrix(normalization, self_loops, num_steps):
    layer = make(
        num_steps=num_steps, normalization=normalization, self_loops=self_loops
    )
    matrix = step_matrix(PAIRS, normalization, self_loops)
    expected = [np.concatenate(vectors())]
    for _ in range(num_steps):
        expected.append(matrix @ expected[-1])
    assert_equal_layers(layer(vectors()), expected)


def test_a_larger_graph():
    rng = np.random.default_rng(3)
    users, items = rng.integers(0, 40, 300), rng.integers(0, 60, 300)
    graph = BipartiteGraph.from_pairs(users, items, 40, 60)
    pairs = set(zip(users.tolist(), items.tolist(), strict=True))
    matrix = step_matrix(pairs, "symmetric", False, 40, 60)
    start = vectors(graph=graph, dim=7)
    expected = [np.concatenate(start)]
    for _ in range(2):
        expected.append(matrix @ expected[-1])
    assert_equal_layers(make(graph, num_steps=2)(start), expected)


def test_cells_decide_what_becomes_of_a_node():
    keras.utils.set_random_seed(0)
    layer = make(
        num_steps=2,
        cells=[Mix(3), Mix(2)],
        normalization="mean",
        self_loops=True,
    )
    found = layer(vectors())
    matrix = step_matrix(PAIRS, "mean", True)
    nodes = np.concatenate(vectors())
    expected = [nodes]
    for cell in layer.cells:
        kernel, bias = (w.numpy() for w in cell.dense.weights)
        own = nodes[:, : cell.units]
        nodes = ((matrix @ nodes) * nodes) @ kernel + bias + own
        expected.append(nodes)
    assert [side.shape for side in found[2]] == [(USERS, 2), (ITEMS, 2)]
    assert_equal_layers(found, expected)


@pytest.mark.parametrize(("normalization", "self_loops"), KINDS)
@pytest.mark.parametrize("cells", [False, True])
def test_gradient_is_that_of_the_dense_product(
    normalization, self_loops, cells
):
    keras.utils.set_random_seed(1)
    layer = make(
        num_steps=3,
        cells=[Mix(3), Mix(3), Mix(2)] if cells else None,
        normalization=normalization,
        self_loops=self_loops,
    )
    start = [tf.constant(side) for side in vectors(1)]
    layer(start)
    matrix = tf.constant(
        step_matrix(PAIRS, normalization, self_loops), tf.float32
    )

    def by_layer(start):
        return [tf.concat(pair, 0) for pair in layer(start)]

    def by_hand(start):
        nodes = tf.concat(start, 0)
        outputs = [nodes]
        for step in range(3):
            received = matrix @ nodes
            nodes = layer.cells[step](received, nodes) if cells else received
            outputs.append(nodes)
        return outputs

    def gradients(layers_of):
        with tf.GradientTape() as tape:
            tape.watch(start)
            loss = sum(
                tf.reduce_sum(tf.sin(nodes + i))
                for i, nodes in enumerate(layers_of(start))
            )
        weights = [w.value for w in layer.trainable_weights]
        return tape.gradient(loss, [*start, *weights])

    expected = gradients(by_hand)
    for found in (gradients(by_layer), tf.function(gradients)(by_layer)):
        for one, other in zip(found, expected, strict=True):
            scale = np.abs(other).max()
            np.testing.assert_allclose(one, other, atol=1e-4 * scale)


def test_gradient_is_that_of_central_differences():
    layer = make(num_steps=2, normalization="mean", self_loops=True)
    weights = np.random.default_rng(4).normal(size=(USERS + ITEMS, DIM))

    def loss(users, items):
        last = tf.concat(layer((users, items))[-1], 0)
        return tf.reduce_sum(last**2 * weights.astype("float32"))

    start = [tf.constant(side) for side in vectors(2)]
    with tf.GradientTape() as tape:
        tape.watch(start)
        value = loss(*start)
    for side, gradient in enumerate(tape.gradient(value, start)):
        gradient = gradient.numpy()
        for place in np.ndindex(gradient.shape):
            ends = []
            for move in (0.1, -0.1):
                moved = [array.numpy() for array in start]
                moved[side][place] += move
                ends.append(float(loss(*moved)))
            # Exact for a square, whatever the distance.
            difference = (ends[0] - ends[1]) / 0.2
            assert gradient[place] == pytest.approx(difference, abs=1e-3)


def test_second_derivatives_pass():
    layer = make(num_steps=1)
    users, items = (tf.constant(side) for side in vectors(3))
    matrix = tf.constant(step_matrix(PAIRS, "symmetric", False), tf.float32)

    def second(step):
        with tf.GradientTape() as outer:
            outer.watch(users)
            with tf.GradientTape() as inner:
                inner.watch(users)
                loss = tf.reduce_sum(step() ** 3)
            first = inner.gradient(loss, users)
            total = tf.reduce_sum(first**2)
        return outer.gradient(total, users)

    np.testing.assert_allclose(
        second(lambda: tf.concat(layer((users, items))[1], 0)),
        second(lambda: matrix @ tf.concat([users, items], 0)),
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("normalization", ["symmetric", "mean"])
def test_a_node_without_neighbours_receives_zeros(normalization):
    layer = make(num_steps=2, normalization=normalization)
    start = [tf.constant(side) for side in vectors()]
    with tf.GradientTape() as tape:
        tape.watch(start)
        layers = layer(start)
        loss = sum(tf.reduce_sum(side) for pair in layers[1:] for side in pair)
    for users, items in layers[1:]:
        np.testing.assert_array_equal(users[0], np.zeros(DIM))
        np.testing.assert_array_equal(items.numpy()[[0, 5]], np.zeros((2, DIM)))
    for gradient, alone in zip(
        tape.gradient(loss, start), ([0], [0, 5]), strict=True
    ):
        assert np.isfinite(gradient).all()
        assert not gradient.numpy()[alone].any()


class TestEdgeDropout:
    def layer(self, **kwargs):
        keras.utils.set_random_seed(7)
        return make(num_steps=1, edge_dropout=0.25, **kwargs)

    def received(self, layer):
        """Which edges a training step uses, with their weights."""
        _, (users, items) = layer(
            (np.eye(USERS, 11), np.eye(ITEMS, 11, USERS)), training=True
        )
        return np.concatenate([users, items])

    def test_only_in_training(self):
        layer, plain = self.layer(), make(num_steps=1)
        for training in (None, False):
            kwargs = {} if training is None else {"training": training}
            assert_equal_layers(
                layer(vectors(), **kwargs), flat(plain(vectors()))
            )
        assert not np.allclose(
            flat(layer(vectors(), training=True))[1], flat(plain(vectors()))[1]
        )

    @pytest.mark.parametrize("normalization", ["symmetric", "mean"])
    def test_an_edge_is_left_out_in_both_directions(self, normalization):
        layer = self.layer(normalization=normalization)
        full = step_matrix(PAIRS, normalization, False)
        for _ in range(20):
            found = self.received(layer)
            used = found != 0
            np.testing.assert_array_equal(used, used.T)
            np.testing.assert_allclose(
                found, np.where(used, full / 0.75, 0), rtol=1e-5
            )

    def test_right_on_average_and_drawn_anew(self):
        layer = self.layer(self_loops=True)
        draws = np.stack([self.received(layer) for _ in range(400)])
        full = step_matrix(PAIRS, "symmetric", True)
        np.testing.assert_allclose(draws.mean(0), full, atol=0.06)
        assert draws.std(0)[full > 0].max() > 0.1
        # Nobody forgets himself.
        for node in range(USERS + ITEMS):
            np.testing.assert_allclose(
                draws[:, node, node], full[node, node], rtol=1e-5
            )

    def test_the_steps_of_a_call_use_the_same_edges(self):
        keras.utils.set_random_seed(7)
        layer = make(num_steps=2, edge_dropout=0.5)
        start = (np.eye(USERS, 11), np.eye(ITEMS, 11, USERS))
        _, once, twice = flat(layer(start, training=True))
        np.testing.assert_allclose(twice, once @ once, rtol=1e-5, atol=1e-6)

    def test_gradient_goes_along_the_edges_in_use(self):
        layer = self.layer()
        start = [
            tf.constant(side, tf.float32)
            for side in (np.eye(USERS, 11), np.eye(ITEMS, 11, USERS))
        ]
        weights = tf.constant(
            np.random.default_rng(0).normal(size=(11, 11)), tf.float32
        )
        with tf.GradientTape() as tape:
            tape.watch(start)
            received = tf.concat(layer(start, training=True)[1], 0)
            loss = tf.reduce_sum(received * weights)
        np.testing.assert_allclose(
            tf.concat(tape.gradient(loss, start), 0),
            tf.transpose(received) @ weights,
            rtol=1e-4,
            atol=1e-6,
        )


@pytest.mark.parametrize("cells", [False, True])
def test_layer(cells):
    def layer(**kwargs):
        keras.utils.set_random_seed(0)
        return make(
            num_steps=2,
            cells=[Mix(3, **kwargs), Mix(2, **kwargs)] if cells else None,
            normalization="mean",
            self_loops=cells,
            edge_dropout=0.1,
            **kwargs,
        )

    widths = (3, 3, 2) if cells else (3, 3, 3)
    run_layer_test(
        layer,
        vectors(),
        expected_shape=tuple(((USERS, w), (ITEMS, w)) for w in widths),
        jit_compile=False,
        dynamic_batch=False,
    )


def test_says_that_xla_cannot_compile_it():
    assert not make().supports_jit
    with pytest.raises(tf.errors.OpError):
        tf.function(make(), jit_compile=True)(vectors())


def test_the_graph_is_saved_with_a_model():
    symbolic = [keras.Input((DIM,), batch_size=rows) for rows in (USERS, ITEMS)]
    layer = make(num_steps=2, edge_dropout=0.2, name="propagation")
    model = keras.Model(symbolic, layer(symbolic)[-1])
    loaded = save_and_load(model)
    copy = loaded.get_layer("propagation")
    assert copy.edge_dropout == 0.2
    np.testing.assert_array_equal(copy.graph.user_degrees, GRAPH.user_degrees)
    np.testing.assert_array_equal(copy.graph.items, GRAPH.items)
    assert copy.graph.num_items == ITEMS
    for one, other in zip(
        loaded(list(vectors())), model(list(vectors())), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_edges_are_weights_no_training_moves():
    layer = make()
    layer(vectors())
    assert not layer.trainable_variables
    assert [w.shape for w in layer.weights] == [(USERS,), (len(PAIRS),)]


def test_another_graph_of_the_same_size_may_be_set():
    # Not symmetric in users and items, so that no pair stays where it was.
    other = [(4 - user, 5 - item) for user, item in PAIRS]
    graph = BipartiteGraph.from_pairs(*zip(*other, strict=True), USERS, ITEMS)
    layer = make(num_steps=1)
    call = tf.function(layer)
    call(vectors())
    layer.assign_graph(graph)
    matrix = step_matrix(other, "symmetric", False)
    nodes = np.concatenate(vectors())
    assert_equal_layers(call(vectors()), [nodes, matrix @ nodes])


@pytest.mark.parametrize(
    ("pairs", "users", "items"),
    [
        (PAIRS[:-1], USERS, ITEMS),
        (PAIRS, USERS + 1, ITEMS),
        (PAIRS, USERS, ITEMS + 1),
    ],
)
def test_a_graph_of_another_size_is_refused(pairs, users, items):
    graph = BipartiteGraph.from_pairs(*zip(*pairs, strict=True), users, items)
    layer = make()
    with pytest.raises(ValueError, match=r"\(5, 6, 8\) users, items and edges"):
        layer.assign_graph(graph)
    np.testing.assert_array_equal(layer.graph.items, GRAPH.items)


@pytest.mark.parametrize("users", [4, 6])
def test_vectors_of_another_number_of_nodes_are_refused(users):
    start = (np.ones((users, DIM), "float32"), vectors()[1])
    for call in (make(), tf.function(make())):
        with pytest.raises((ValueError, tf.errors.OpError)):
            call(start)


@pytest.mark.parametrize(
    ("wrong", "match"),
    [
        ({"num_users": 0}, "num_users"),
        ({"num_items": 2.5}, "num_items"),
        ({"num_edges": None}, "num_edges"),
        ({"num_steps": 0}, "num_steps"),
        ({"normalization": "sum"}, "'symmetric' or 'mean'"),
        ({"cells": [Mix(2)]}, "a layer for each step.*1 cells, num_steps=3"),
        ({"edge_dropout": 1.5}, "edge_dropout"),
        ({"edge_dropout": 1.0}, "edge_dropout"),
        ({"edge_dropout": -0.1}, "edge_dropout"),
    ],
)
def test_refuses_arguments_out_of_range(wrong, match):
    sizes = {"num_users": 3, "num_items": 3, "num_edges": 2}
    with pytest.raises(ValueError, match=match):
        GraphPropagation(**{**sizes, **wrong})


def test_a_state_is_copied_by_its_variables():
    source, target = make(), GraphPropagation(USERS, ITEMS, len(PAIRS))
    copy_state(source, target)
    assert_equal_layers(target(vectors()), flat(source(vectors())))
