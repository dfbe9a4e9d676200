"""Where one input of a functional model meets the others."""

from typing import Any

import keras

__all__ = ["feature_frontier"]


def feature_frontier(model: keras.Model, feature: str) -> list[Any]:
    """Finds the last tensors that depend on one input alone.

    Where the same rows stand in many pairs, what leads there is worth
    computing once for each row: lookups, and whatever else comes before the
    pair matters. A tensor counts if it is as long as the batch.

    >>> import keras
    >>> user = keras.Input((), dtype="int32", name="user")
    >>> item = keras.Input((), dtype="int32", name="item")
    >>> rows = [keras.layers.Embedding(9, 2)(ids) for ids in (user, item)]
    >>> score = keras.layers.Dot(axes=1)(rows)
    >>> model = keras.Model({"user": user, "item": item}, score)
    >>> [tensor is rows[0] for tensor in feature_frontier(model, "user")]
    [True]

    Args:
        model: A functional model whose inputs are a dictionary.
        feature: Name of the input.

    Returns:
        Symbolic tensors, outputs of the model among them. The input itself
        is one where it meets another input, or leads to a tensor that does
        not belong to the batch.
    """
    alone = {id(model.input[feature])}
    frontier: dict[int, Any] = {}
    for depth in sorted(model._nodes_by_depth, reverse=True):
        for node in model._nodes_by_depth[depth]:
            fed = {id(tensor): tensor for tensor in node.input_tensors}
            batched = all(
                tensor.shape[:1] == (None,) for tensor in node.outputs
            )
            if fed and fed.keys() <= alone and batched:
                alone |= {id(tensor) for tensor in node.outputs}
            else:
                frontier |= {
                    key: tensor for key, tensor in fed.items() if key in alone
                }
    frontier |= {
        id(tensor): tensor for tensor in model.outputs if id(tensor) in alone
    }
    return list(frontier.values())
