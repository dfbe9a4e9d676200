import keras
import numpy as np

from keras_emb.layers import BipartiteGraph
from keras_emb.layers.feature_frontier import feature_frontier
from keras_emb.zoo import LightGCN, NeuMF


def test_the_rest_goes_on_from_the_frontier():
    user, item = (
        keras.Input((), dtype="int32", name=name) for name in ("user", "item")
    )
    rows = keras.layers.Embedding(5, 3)(user)
    hidden = keras.layers.Dense(4, "relu")(rows)
    other = keras.layers.Embedding(6, 4)(item)
    score = keras.layers.Dot(axes=1)([hidden, other])
    model = keras.Model({"user": user, "item": item}, score)
    frontier = feature_frontier(model, "user")
    assert len(frontier) == 1 and frontier[0] is hidden
    part = keras.Model(user, frontier[0])
    rest = keras.Model([item, frontier[0]], score)
    ids = {"user": np.array([1, 1]), "item": np.array([2, 5])}
    found = rest([keras.ops.array(ids["item"]), part(ids["user"])])
    np.testing.assert_allclose(found, model(ids), rtol=1e-6)


def test_every_row_of_a_side_and_outputs():
    model = NeuMF.from_sizes(
        users=4, items=5, embedding_dim=3, equal_widths=True
    )
    squares = model.regularized["user"]
    whole = keras.Model(model.input, {"score": model.output, "user": squares})
    frontier = {id(tensor) for tensor in feature_frontier(whole, "user")}
    # A row of the product, and the user's share of the first layer.
    share = model.get_layer("hidden_0_user").output
    row = model.tables["user_gmf"].output
    assert frontier == {id(tensor) for tensor in (row, share, squares)}


def test_tensors_that_are_no_part_of_the_batch_are_not_crossed():
    graph = BipartiteGraph.from_pairs([1, 2], [1, 2], 3, 4)
    model = LightGCN.from_graph(graph, embedding_dim=2)
    frontier = feature_frontier(model, "user")
    assert len(frontier) == 1 and frontier[0] is model.input["user"]
