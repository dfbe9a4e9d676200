import shutil

import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2

from keras_emb.serving.slim_saved_model import slim_saved_model


class _Loops(tf.Module):
    """Branches, loops, variables and a table, and names worth shortening."""

    def __init__(self):
        super().__init__()
        self.weight = tf.Variable([1.0, 2.0, 4.0])
        self.table = tf.lookup.StaticHashTable(
            tf.lookup.KeyValueTensorInitializer(["a", "b"], [1, 2]), 0
        )

    @tf.function(
        input_signature=[
            tf.TensorSpec((None,), tf.string, "n0"),
            tf.TensorSpec((), tf.int32, "count"),
        ]
    )
    def __call__(self, n0, count):
        with (
            tf.name_scope("a_scope_with_a_long_name"),
            tf.compat.v1.colocate_with(self.weight.read_value().op),
        ):
            found = tf.gather(self.weight, self.table.lookup(n0))
            total = tf.while_loop(
                lambda step, total: step < count,
                lambda step, total: (step + 1, total + found * self.weight[2]),
                (0, tf.zeros_like(found)),
            )[1]
            halved = tf.cond(count > 2, lambda: total / 2, lambda: total)
        with tf.control_dependencies([tf.debugging.Assert(count > 0, [count])]):
            return {"total": tf.identity(halved)}


def test_the_graph_shrinks_and_answers_the_same(tmp_path):
    tf.saved_model.save(_Loops(), str(tmp_path / "full"))
    shutil.copytree(tmp_path / "full", tmp_path / "slim")
    slim_saved_model(tmp_path / "slim")
    inputs = {"n0": tf.constant(["b", "?"]), "count": tf.constant(3)}
    answers, sizes, graphs = {}, {}, {}
    for name in ("full", "slim"):
        folder = tmp_path / name
        content = (folder / "saved_model.pb").read_bytes()
        sizes[name] = len(content)
        graph = saved_model_pb2.SavedModel.FromString(content).meta_graphs[0]
        graphs[name] = graph
        loaded = tf.saved_model.load(str(folder))
        assert loaded.weight.shape == (3,)
        serve = loaded.signatures["serving_default"]
        answers[name] = serve(**inputs)["total"].numpy()
        with pytest.raises(tf.errors.InvalidArgumentError):
            serve(**{**inputs, "count": tf.constant(0)})
        # The sum in the fingerprint is that of the file beside it.
        print_ = tf.saved_model.experimental.read_fingerprint(str(folder))
        graphs[f"{name} print"] = print_.saved_model_checksum
    np.testing.assert_array_equal(answers["slim"], answers["full"])
    np.testing.assert_array_equal(answers["full"], [24.0, 6.0])
    assert sizes["slim"] < 0.7 * sizes["full"]
    assert graphs["slim"].signature_def == graphs["full"].signature_def
    assert graphs["slim print"] != graphs["full print"]
    attributes = {
        name: {
            attribute
            for function in graphs[name].graph_def.library.function
            for node in function.node_def
            for attribute in node.attr
        }
        for name in ("full", "slim")
    }
    assert {"value", "_class"} <= attributes["full"]
    assert "value" in attributes["slim"]
    assert "_class" not in attributes["slim"]


def test_what_was_slim_stays_as_it_is(tmp_path):
    tf.saved_model.save(_Loops(), str(tmp_path))
    slim_saved_model(tmp_path)
    once = (tmp_path / "saved_model.pb").read_bytes()
    slim_saved_model(tmp_path)
    assert (tmp_path / "saved_model.pb").read_bytes() == once


def test_a_node_that_names_its_resource_keeps_its_name(tmp_path):
    module = tf.Module()

    @tf.function(input_signature=[tf.TensorSpec((), tf.int64)])
    def size(more):
        table = tf.raw_ops.MutableHashTableV2(
            key_dtype=tf.string,
            value_dtype=tf.int64,
            use_node_name_sharing=True,
            name="n0",
        )
        return tf.raw_ops.LookupTableSizeV2(table_handle=table) + more

    module.size = size
    tf.saved_model.save(module, str(tmp_path))
    slim_saved_model(tmp_path)
    saved = saved_model_pb2.SavedModel.FromString(
        (tmp_path / "saved_model.pb").read_bytes()
    )
    names = [
        node.name
        for function in saved.meta_graphs[0].graph_def.library.function
        for node in function.node_def
        if node.op == "MutableHashTableV2"
    ]
    assert names == ["n0"]
    loaded = tf.saved_model.load(str(tmp_path))
    assert loaded.size(tf.constant(4, tf.int64)).numpy() == 4
