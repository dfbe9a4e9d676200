"""Endpoints of models whose tables read popularity."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import tensorflow as tf

__all__ = ["add_popularity_endpoints"]

_ENDING = "_popularity"


def add_popularity_endpoints(
    archive: Any,
    serve: Callable[[Mapping[str, Any]], dict[str, Any]],
    known: Callable[[str, Any], Any],
    specs: Mapping[str, tf.TensorSpec],
    counting: Mapping[str, Sequence[Any]],
) -> None:
    """Adds `observe` and `serve_popularity` beside `serving_default`.

    `observe` takes the ids of interactions that have happened, raises their
    counts, and answers with the counts; predictions follow. `serve_popularity`
    predicts as if the ids were as popular as the further inputs
    `<input>_popularity` say.

    Args:
        archive: The archive to add to.
        serve: What `serving_default` computes.
        known: Turns ids of an input into rows of its tables.
        specs: Inputs by name.
        counting: Tables that keep count, by the input that feeds them.
    """

    def observe(inputs: Mapping[str, Any]) -> dict[str, Any]:
        counts = {}
        for name, tables in counting.items():
            rows = known(name, inputs[name])
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
            answers = serve({name: inputs[name] for name in specs})
        return answers

    popularity = {
        f"{name}{_ENDING}": tf.TensorSpec((None,), "int64", f"{name}{_ENDING}")
        for name in counting
    }
    archive.add_endpoint(
        "observe",
        observe,
        input_signature=[{name: specs[name] for name in counting}],
    )
    archive.add_endpoint(
        "serve_popularity",
        serve_popularity,
        input_signature=[{**specs, **popularity}],
    )
