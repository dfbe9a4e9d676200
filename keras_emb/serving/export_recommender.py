"""Recommenders as TensorFlow Serving serves them."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from keras_emb.compression import quantize
from keras_emb.datasets import Vocabulary
from keras_emb.layers import find_tables, table_features
from keras_emb.serving.endpoint import Endpoint
from keras_emb.serving.id_table import IdTable, raw_array
from keras_emb.serving.popularity_endpoints import popularity_endpoints
from keras_emb.serving.served_model import ServedModel
from keras_emb.serving.top_items import item_scores, top_items
from keras_emb.serving.warm_up import can_warm_up, write_warm_up
from keras_emb.serving.write_saved_model import new_version, write_saved_model

__all__ = ["export_recommender"]

# Who is given a list, and of what.
_PAIR = ("user", "item")
# What bounds the memory of one request: users times a block of items.
_MOST_USERS = 1024


def export_recommender(
    model: keras.Model,
    vocabularies: Mapping[str, Vocabulary],
    path: str | Path,
    *,
    version: int | None = None,
    precision: Literal["float32", "float16", "int8"] = "float32",
    max_k: int = 100,
    warm_up: bool | None = None,
) -> Path:
    """Writes a recommender as a SavedModel that speaks in raw ids.

    The folder `<path>/<version>/` has the signatures

    - `serving_default`: what the model predicts, for models of `user` and
      `item` the scores of pairs;
    - `recommend`, for models of `user` and `item` with one score a pair: for
      each `user` the `k` items with the highest scores, but for those in
      `seen`, `(users, n)`, padded with any unknown id;
    - `embed`: what each table answers for the ids of its input; inputs need
      not be equally long;
    - `observe` and `serve_popularity` where tables keep count, see
      `export_for_serving`.

    Ids are int64 or strings, as in the vocabularies. Each signature has a
    twin, `<name>_rows`, whose ids are rows of the tables. Unknown ids are
    answered as row 0, and `is_known` says so (`<input>_is_known` for
    `embed`): whether all of an example's ids are known, and of an input with
    several values one at least. A place that no item is left for holds the
    id `-1` or `""`, and the score minus infinity.

    >>> import tempfile
    >>> from keras_emb.zoo import MatrixFactorization
    >>> model = MatrixFactorization.from_sizes(
    ...     users=3, items=4, embedding_dim=8
    ... )
    >>> ids = {"user": Vocabulary(["a", "b"]), "item": Vocabulary([7, 8, 9])}
    >>> folder = export_recommender(model, ids, tempfile.mkdtemp())
    >>> signatures = tf.saved_model.load(str(folder)).signatures
    >>> answer = signatures["recommend"](
    ...     user=tf.constant(["b", "?"]),
    ...     seen=tf.constant([[8], [-1]], tf.int64),
    ...     k=tf.constant(2),
    ... )
    >>> sorted(answer["item"][0].numpy().tolist())
    [7, 9]
    >>> answer["is_known"].numpy().tolist()
    [True, False]

    Args:
        model: A built functional model whose inputs with tables are integers
            of shape `(batch,)`, or `(batch, n)` for several values. With
            `encode` and `score_codes` (see
            `keras_emb.zoo.backbones.Backbone`) items are ranked by codes,
            else pair by pair.
        vocabularies: Raw ids of the rows of every input with a table. Rows
            beyond them are never recommended.
        path: Folder of all versions of the model.
        version: Positive integer, the next one by default; TensorFlow
            Serving serves the largest.
        precision: Type in which the values of tables are stored, see
            `keras_emb.compression.quantize`.
        max_k: Most items that `recommend` can be asked for; never more than
            there are.
        warm_up: Whether requests are left in `assets.extra` that the server
            answers before it takes any others; by default where
            tensorflow-serving-api (extra `serving`) is installed.

    Returns:
        The folder `<path>/<version>`.

    Raises:
        ValueError: If the version exists, the model looks up no table, a
            vocabulary is missing or has more ids than the tables have rows,
            the tables cannot be stored in `precision`, or `max_k` is not
            positive.
        ImportError: If `warm_up` needs what is not installed.
        RuntimeError: If more was written than the weights account for.
    """
    final = new_version(path, version)
    if max_k < 1:
        raise ValueError(f"`max_k` must be positive. Received: max_k={max_k}")
    if precision != "float32":
        model = quantize(model, precision)
    served = ServedModel(model)
    _check(served, vocabularies)
    ids = {name: IdTable(vocabularies[name]) for name in served.rows}
    archive = keras.export.ExportArchive()
    endpoints = _endpoints(served, vocabularies, max_k)
    for name in _filled(list(endpoints.values())):
        ids[name].check_nothing(name)
    for name, endpoint in endpoints.items():
        by_row = _checked(endpoint)
        by_row.add_to(archive, f"{name}_rows")
        _by_raw_id(by_row, ids).add_to(archive, name)
    raw_ids = [table.raw_ids for table in ids.values()]
    archive.add_variable_collection("raw_ids", raw_ids)
    for table in ids.values():
        archive.track(table)

    def finish(folder: Path) -> None:
        if can_warm_up() if warm_up is None else warm_up:
            write_warm_up(folder, _requests(endpoints, served, vocabularies))

    return write_saved_model(
        archive, served, final, further=raw_ids, finish=finish
    )


def _check(served: ServedModel, vocabularies: Mapping[str, Vocabulary]) -> None:
    if not served.rows:
        raise ValueError(
            "`model` must have an input that looks up a table of its own; "
            "use `export_for_serving` for others. "
            f"Received: model={served.model.name} with the inputs "
            f"{sorted(served.specs)}"
        )
    if not set(served.rows) <= set(vocabularies):
        raise ValueError(
            "`vocabularies` must hold those of every input with a table, "
            f"{sorted(served.rows)}. Received: {sorted(vocabularies)}"
        )
    for name, rows in served.rows.items():
        if len(vocabularies[name]) > rows:
            raise ValueError(
                f"`vocabularies` must fit the tables: {name!r} has {rows} "
                f"rows. Received: {len(vocabularies[name])} rows"
            )


def _endpoints(
    served: ServedModel,
    vocabularies: Mapping[str, Vocabulary],
    max_k: int,
) -> dict[str, Endpoint]:
    """All endpoints, by row."""
    endpoints = {
        "serving_default": _predict(served, vocabularies),
        "embed": _embed(served, vocabularies),
        **popularity_endpoints(served),
    }
    answers = [tuple(output.shape[1:]) for output in served.model.outputs]
    ranks = {name: spec.shape.rank for name, spec in served.specs.items()}
    if answers in ([()], [(1,)]) and ranks == dict.fromkeys(_PAIR, 1):
        endpoints["recommend"] = _recommend(served, vocabularies, max_k)
    return endpoints


def _filled(endpoints: list[Endpoint]) -> list[str]:
    """Features with places that may hold no id."""
    inputs = {
        feature
        for endpoint in endpoints
        for name, feature in endpoint.id_inputs.items()
        if endpoint.specs[name].shape.rank > 1
    }
    return sorted(inputs.union(*(e.id_outputs.values() for e in endpoints)))


def _predict(
    served: ServedModel, vocabularies: Mapping[str, Vocabulary]
) -> Endpoint:
    named = "`, `".join(served.specs)

    def predict(inputs: Mapping[str, Any]) -> dict[str, Any]:
        counts = tf.stack([tf.shape(inputs[name])[0] for name in served.specs])
        equal = tf.debugging.Assert(
            tf.reduce_all(tf.equal(counts, counts[0])),
            [f"`{named}` must be equally many. Received:", counts],
            summarize=len(served.specs),
        )
        with tf.control_dependencies([equal]):
            checked = {name: tf.identity(inputs[name]) for name in inputs}
        known = tf.stack(
            [_known(checked[name], vocabularies[name]) for name in served.rows]
        )
        return {**served(checked), "is_known": tf.reduce_all(known, axis=0)}

    return Endpoint(predict, served.specs, {name: name for name in served.rows})


def _embed(
    served: ServedModel, vocabularies: Mapping[str, Vocabulary]
) -> Endpoint:
    tables = find_tables(served.model)
    features = table_features(served.model)

    def embed(inputs: Mapping[str, Any]) -> dict[str, Any]:
        rows = {name: served.known(name, inputs[name]) for name in served.rows}
        vectors = {
            name: tf.cast(table(rows[features[name]]), tf.float32)
            for name, table in tables.items()
        }
        known = {
            f"{name}_is_known": _known(inputs[name], vocabularies[name])
            for name in served.rows
        }
        return {**vectors, **known}

    specs = {name: served.specs[name] for name in served.rows}
    return Endpoint(embed, specs, {name: name for name in served.rows})


def _recommend(
    served: ServedModel, vocabularies: Mapping[str, Vocabulary], max_k: int
) -> Endpoint:
    num_items = len(vocabularies["item"]) - 1
    most = min(max_k, num_items)

    def recommend(inputs: Mapping[str, Any]) -> dict[str, Any]:
        k = inputs["k"]
        users = served.known("user", inputs["user"])
        count = tf.shape(users)[0]
        checks = [
            tf.debugging.Assert(
                (k >= 1) & (k <= most),
                [f"`k` must be between 1 and {most}. Received:", k],
            ),
            tf.debugging.Assert(
                count <= _MOST_USERS,
                [f"`user` must hold at most {_MOST_USERS}. Received:", count],
            ),
            tf.debugging.Assert(
                tf.equal(count, tf.shape(inputs["seen"])[0]),
                ["`seen` must have a row for each of `user`. Received:", count],
            ),
        ]
        with tf.control_dependencies(checks):
            seen = tf.identity(served.known("item", inputs["seen"]))
            scores, block = item_scores(served, tf.identity(users))
            items, values = top_items(scores, seen, k, num_items, block)
        return {
            "item": items,
            "score": values,
            "is_known": _known(inputs["user"], vocabularies["user"]),
        }

    dtype = served.specs["item"].dtype
    specs = {
        "user": served.specs["user"],
        "seen": tf.TensorSpec((None, None), dtype, "seen"),
        "k": tf.TensorSpec((), tf.int32, "k"),
    }
    return Endpoint(
        recommend,
        specs,
        {"user": "user", "seen": "item"},
        {"item": "item"},
    )


def _requests(
    names: Iterable[str],
    served: ServedModel,
    vocabularies: Mapping[str, Vocabulary],
) -> dict[str, dict[str, np.ndarray]]:
    """A request of one example for every signature that leaves no trace."""
    found = {}
    for ending in ("", "_rows"):
        example = {}
        for name, spec in served.specs.items():
            ones = np.ones((1, *spec.shape[1:]), spec.dtype.as_numpy_dtype)
            if name in served.rows and not ending:
                ones = raw_array(vocabularies[name].raw(ones))
            example[name] = ones
        found[f"serving_default{ending}"] = example
        found[f"embed{ending}"] = {name: example[name] for name in served.rows}
        if "recommend" in names:
            found[f"recommend{ending}"] = {
                "user": example["user"],
                "seen": example["item"][:, None],
                "k": np.array(1, np.int32),
            }
    return found


def _known(rows: Any, vocabulary: Vocabulary) -> Any:
    """Whether examples have a known id, of several values at least one."""
    known = (rows > 0) & (rows < len(vocabulary))
    return tf.reduce_any(known, axis=list(range(1, known.shape.rank)))


def _checked(endpoint: Endpoint) -> Endpoint:
    """The endpoint behind checks of what a server does not check."""

    # Traced once, for the endpoint and its twin to call.
    @tf.function(autograph=False)
    def checked(inputs: Mapping[str, Any]) -> dict[str, Any]:
        # A session feeds tensors of any shape, whatever a signature says.
        shaped = {
            name: tf.ensure_shape(tensor, endpoint.specs[name].shape)
            for name, tensor in inputs.items()
        }
        return endpoint.function(shaped)

    return Endpoint(
        checked, endpoint.specs, endpoint.id_inputs, endpoint.id_outputs
    )


def _by_raw_id(endpoint: Endpoint, ids: Mapping[str, IdTable]) -> Endpoint:
    """The same endpoint with raw ids for rows."""
    specs = dict(endpoint.specs)
    for name, feature in endpoint.id_inputs.items():
        specs[name] = tf.TensorSpec(specs[name].shape, ids[feature].dtype, name)

    def by_raw_id(inputs: Mapping[str, Any]) -> dict[str, Any]:
        # Checked here already: an error names what it is about.
        rows = {
            name: tf.ensure_shape(tensor, specs[name].shape)
            for name, tensor in inputs.items()
        }
        for name, feature in endpoint.id_inputs.items():
            rows[name] = tf.cast(
                ids[feature].rows(rows[name]), endpoint.specs[name].dtype
            )
        answers = endpoint.function(rows)
        for name, feature in endpoint.id_outputs.items():
            answers[name] = ids[feature].raw(answers[name])
        return answers

    return Endpoint(by_raw_id, specs)
