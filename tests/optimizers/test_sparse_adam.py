import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb.optimizers import SparseAdam

ROWS, DIM = 6, 3


def slices(values, ids):
    return tf.IndexedSlices(
        tf.constant(values, tf.float32),
        tf.constant(ids, tf.int32),
        tf.constant([ROWS, DIM]),
    )


def summed(values, ids):
    dense = np.zeros((ROWS, DIM), np.float32)
    np.add.at(dense, ids, values)
    return dense


def train_both(arguments, steps=10, all_rows=True, jit_compile=False):
    """Ours on slices with repeated ids, Keras's Adam on their sum."""
    random = np.random.default_rng(0)
    start = random.normal(size=(ROWS, DIM)).astype("float32")
    ours, theirs = keras.Variable(start), keras.Variable(start)
    sparse = SparseAdam(0.1, **arguments)
    dense = keras.optimizers.Adam(0.1, **arguments)
    sparse.build([ours])
    dense.build([theirs])
    apply = tf.function(
        lambda v, i: sparse.apply([slices_of(v, i)], [ours]),
        jit_compile=jit_compile,
    )

    def slices_of(values, ids):
        return tf.IndexedSlices(values, ids, tf.constant([ROWS, DIM]))

    for _ in range(steps):
        every = np.arange(ROWS) if all_rows else []
        ids = np.concatenate([every, random.integers(0, 4, 5)]).astype("int32")
        values = random.normal(size=(len(ids), DIM)).astype("float32")
        apply(tf.constant(values), tf.constant(ids))
        dense.apply([tf.constant(summed(values, ids))], [theirs])
    return ours.numpy(), theirs.numpy(), start


@pytest.mark.parametrize("jit_compile", [False, True])
def test_equals_adam_when_every_row_is_touched(jit_compile):
    ours, theirs, _ = train_both({}, jit_compile=jit_compile)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


@pytest.mark.parametrize(
    "clipping",
    [{"clipnorm": 0.5}, {"global_clipnorm": 0.5}, {"clipvalue": 0.1}],
)
def test_clips_what_repeated_ids_add_up_to(clipping):
    ours, theirs, _ = train_both(clipping)
    np.testing.assert_allclose(ours, theirs, atol=1e-5)


def test_untouched_rows_and_moments_stay():
    table = keras.Variable(np.ones((ROWS, DIM), "float32"))
    optimizer = SparseAdam(0.1)
    optimizer.build([table])
    optimizer.apply([slices(np.ones((2, DIM)), [1, 4])], [table])
    before = [v.numpy() for v in (table, *optimizer.variables)]
    optimizer.apply([slices(np.ones((1, DIM)), [1])], [table])
    after = [v.numpy() for v in (table, *optimizer.variables)]
    rest = [0, 2, 3, 4, 5]
    for old, new in zip(before, after, strict=True):
        if old.shape == (ROWS, DIM):
            np.testing.assert_array_equal(old[rest], new[rest])
            assert (old[1] != new[1]).all()
    assert (after[0][[0, 2, 3, 5]] == 1).all()


def test_one_step_against_the_formula():
    table = keras.Variable(np.zeros((ROWS, DIM), "float32"))
    optimizer = SparseAdam(0.1)
    optimizer.build([table])
    optimizer.apply([slices(np.full((2, DIM), 0.5), [2, 2])], [table])
    # The first step of Adam is the rate, whatever the gradient's size.
    np.testing.assert_allclose(table.numpy()[2], -0.1, rtol=1e-5)
    assert not table.numpy()[[0, 1, 3, 4, 5]].any()


def test_dense_gradients_take_the_step_of_adam():
    ours, theirs = (keras.Variable(np.ones(4, "float32")) for _ in range(2))
    sparse, dense = SparseAdam(0.1), keras.optimizers.Adam(0.1)
    sparse.build([ours])
    dense.build([theirs])
    for step in range(5):
        gradient = tf.constant([1.0, -2.0, 0.1, step])
        sparse.apply([gradient], [ours])
        dense.apply([gradient], [theirs])
    np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-6)


@pytest.mark.parametrize("arguments", [{}, {"weight_decay": 0.0}])
def test_a_step_never_reads_the_table(arguments):
    table = keras.Variable(np.ones((ROWS, DIM), "float32"))
    optimizer = SparseAdam(**arguments)
    optimizer.build([table])
    step = tf.function(
        lambda v, i: optimizer.apply(
            [tf.IndexedSlices(v, i, tf.constant([ROWS, DIM]))], [table]
        )
    )
    graph = step.get_concrete_function(
        tf.TensorSpec([None, DIM]), tf.TensorSpec([None], tf.int32)
    ).graph
    read = [
        operation.outputs[0].shape
        for operation in graph.get_operations()
        if operation.type == "ReadVariableOp"
    ]
    assert all(shape.rank == 0 for shape in read)


def test_a_late_row_is_corrected_by_the_optimizers_steps():
    table = keras.Variable(np.zeros((ROWS, DIM), "float32"))
    optimizer = SparseAdam(0.1)
    optimizer.build([table])
    optimizer.iterations.assign(99_999)
    optimizer.apply([slices(np.full((1, DIM), 0.5), [2])], [table])
    expected = -0.1 * (1 - 0.9) / np.sqrt(1 - 0.999)
    np.testing.assert_allclose(table.numpy()[2], expected, rtol=1e-3)


def test_config_round_trip():
    optimizer = SparseAdam(0.3, beta_1=0.8, epsilon=1e-6, clipnorm=2.0)
    config = optimizer.get_config()
    assert SparseAdam.from_config(config).get_config() == config


@pytest.mark.parametrize(
    "refused",
    [
        {"weight_decay": 0.1},
        {"use_ema": True},
        {"amsgrad": True},
        {"gradient_accumulation_steps": 2},
    ],
)
def test_refuses_what_needs_the_whole_table(refused):
    with pytest.raises(ValueError, match=next(iter(refused))):
        SparseAdam(**refused)
