"""Endpoints of models whose tables read popularity."""

import contextlib
from collections.abc import Mapping
from typing import Any

import tensorflow as tf

from keras_emb.serving.endpoint import Endpoint
from keras_emb.serving.served_model import ServedModel

__all__ = ["popularity_endpoints"]

_ENDING = "_popularity"


def popularity_endpoints(served: ServedModel) -> dict[str, Endpoint]:
    """What a model with tables that keep count answers besides predictions.

    `observe` takes the ids of interactions that have happened, raises their
    counts, and answers with the counts; predictions follow. `serve_popularity`
    predicts as if the ids were as popular as the further inputs
    `<input>_popularity` say.

    Args:
        served: The model.

    Returns:
        The endpoints by name; none for a model without such tables.
    """
    counting = served.counting
    if not counting:
        return {}

    def observe(inputs: Mapping[str, Any]) -> dict[str, Any]:
        counts = {}
        for name, tables in counting.items():
            rows = served.known(name, inputs[name])
            for table in tables:
                table.observe(rows)
                counts[f"{name}{_ENDING}"] = table.counter(rows)
        return counts

    def serve_popularity(inputs: Mapping[str, Any]) -> dict[str, Any]:
        with contextlib.ExitStack() as stack:
            for name, tables in counting.items():
                for table in tables:
                    stack.enter_context(
                        table.given_popularity(inputs[f"{name}{_ENDING}"])
                    )
            answers = served({name: inputs[name] for name in served.specs})
        return answers

    popularity = {
        f"{name}{_ENDING}": tf.TensorSpec((None,), "int64", f"{name}{_ENDING}")
        for name in counting
    }
    return {
        "observe": Endpoint(
            observe,
            {name: served.specs[name] for name in counting},
            {name: name for name in counting},
        ),
        "serve_popularity": Endpoint(
            serve_popularity,
            {**served.specs, **popularity},
            {name: name for name in served.rows},
        ),
    }
