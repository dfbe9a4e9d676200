"""A compact model that is asked by raw ids."""

import datetime
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import numpy.typing as npt

from keras_emb.compression import SizeAssignment, memory_report
from keras_emb.datasets import Vocabulary
from keras_emb.layers import find_tables, table_features, table_rows
from keras_emb.layers.feature_consumers import feature_consumers
from keras_emb.layers.named_inputs import named_inputs
from keras_emb.presets.card import write_card
from keras_emb.presets.item_recommender import ItemRecommender
from keras_emb.presets.picture import draw_picture
from keras_emb.presets.preset_files import (
    FORMAT,
    check_files,
    describe_files,
    new_folder,
    read_metadata,
    write_json_object,
)
from keras_emb.presets.provenance import package_versions
from keras_emb.presets.saved_vocabularies import (
    load_vocabularies,
    save_vocabularies,
)
from keras_emb.presets.stored_model import (
    fresh_model,
    load_model,
    save_model,
)
from keras_emb.zoo.presets import (
    METADATA_FILE,
    find_preset,
    preset_names,
)

__all__ = ["EmbeddingSizeModel", "Precision"]

Precision = Literal["float32", "float16", "int8"]

_SIZES_FILE = "sizes.npz"
_PICTURE_FILE = "sizes.png"
_CARD_FILE = "README.md"


class _Presets:
    """Reads the presets of the library whenever a class is asked for them."""

    def __get__(self, instance: Any, owner: Any) -> dict[str, dict[str, Any]]:
        return {
            name: read_metadata(find_preset(name)) for name in preset_names()
        }


class EmbeddingSizeModel:
    """A compact model with the raw ids of its rows and their sizes.

    What a search and `compact` made, ready to use: it answers for the ids of
    the data, can be saved as a preset and loaded in one line, as the models
    of KerasHub can, and exported for servers.

    >>> import keras_emb
    >>> from keras_emb.datasets import Vocabulary
    >>> model = keras_emb.zoo.MatrixFactorization.from_sizes(
    ...     users=3, items=5, embedding_dim=4
    ... )
    >>> sizes = keras_emb.SizeAssignment.from_sizes(
    ...     {"user": [0, 4, 2], "item": [0, 1, 2, 3, 4]}, 4
    ... )
    >>> small, _ = keras_emb.compact(model, sizes)
    >>> mine = EmbeddingSizeModel(
    ...     small,
    ...     {
    ...         "user": Vocabulary(["ann", "bob"]),
    ...         "item": Vocabulary([10, 20, 30, 40]),
    ...     },
    ...     sizes,
    ... )
    >>> mine.predict({"user": ["bob", "eve"], "item": [30, 30]}).shape
    (2, 1)
    >>> items, scores = mine.recommend(["ann"], k=2, seen=[[10, 20]])
    >>> sorted(items[0].tolist())
    [30, 40]

    Args:
        model: A built Keras model of named integer inputs.
        vocabularies: Raw ids of its rows, by input. A table may have more
            rows than its vocabulary has ids: rows that are still free.
        sizes: What is kept of each row, if that is to be saved with it.
        metadata: What is known of the model, plain values. `metrics`,
            `dataset` and others are shown on the card of a preset.

    Raises:
        ValueError: If the vocabularies do not fit the model's inputs.
    """

    presets = _Presets()

    def __init__(
        self,
        model: keras.Model,
        vocabularies: Mapping[str, Vocabulary],
        sizes: SizeAssignment | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        self.model = model
        self.vocabularies = dict(vocabularies)
        self.sizes = sizes
        self.metadata = dict(metadata or {})
        self._num_rows = _rows_by_feature(model)
        for feature, rows in self._num_rows.items():
            known = self.vocabularies.get(feature)
            if known is None or len(known) > rows:
                raise ValueError(
                    "`vocabularies` must hold the raw ids of every input that "
                    f"looks up a table, at most {rows} rows for {feature!r}. "
                    f"Received: {'none' if known is None else len(known)}"
                )
        self._places = _values_by_input(model)
        self._recommenders: dict[int, ItemRecommender] = {}

    @classmethod
    def from_preset(
        cls, preset: str | os.PathLike[str], load_weights: bool = True
    ) -> "EmbeddingSizeModel":
        """Loads a preset.

        Args:
            preset: Name of a preset of the library, see `presets`, or a
                folder that `save_to_preset` wrote.
            load_weights: Without weights, the model is one to train: of the
                same making, freshly initialised, its tables at full width
                with the preset's sizes fixed. A graph has no edges then.

        Returns:
            The model.

        Raises:
            ValueError: If there is no such preset, a file is missing or
                damaged, a newer keras_emb wrote it, or it stores vectors
                that no training goes with and `load_weights=False`.
        """
        folder = find_preset(preset)
        metadata = read_metadata(folder)
        check_files(folder, metadata)
        sizes_file = folder / _SIZES_FILE
        sizes = SizeAssignment.load(sizes_file) if sizes_file.exists() else None
        model = load_model(folder, load_weights=load_weights)
        if not load_weights:
            model = fresh_model(model, sizes)
        return cls(model, load_vocabularies(folder), sizes, metadata)

    def save_to_preset(self, preset_dir: str | os.PathLike[str]) -> None:
        """Writes the model as a preset.

        The folder holds `config.json`, `model.weights.h5`, `sizes.npz`,
        `vocabulary/`, `metadata.json` and a card, `README.md`, with a
        picture. It appears when it is complete; an older preset of the same
        name is replaced.

        Args:
            preset_dir: Folder to write.

        Raises:
            ValueError: If something else stands there, or the metadata are
                no plain values.
        """
        final = Path(preset_dir)
        memory = memory_report(self.model)
        metadata = {
            **_plain(self.metadata),
            "format": FORMAT,
            "name": final.name,
            "date": datetime.date.today().isoformat(),
            "versions": self.metadata.get("versions") or package_versions(),
            "model": type(self.model).__name__,
            "parameters": int(self.model.count_params()),
            "bytes": memory.as_dict(),
        }
        if self._places:
            metadata["places"] = self._places
        if self.sizes is not None:
            metadata["kept_share"] = self.sizes.kept_share
        with new_folder(final) as folder:
            save_model(self.model, folder)
            save_vocabularies(folder, self.vocabularies)
            if self.sizes is not None:
                self.sizes.save(folder / _SIZES_FILE)
            draw_picture(metadata, self.sizes, folder / _PICTURE_FILE)
            metadata["files"] = describe_files(folder)
            write_json_object(folder / METADATA_FILE, metadata)
            card = write_card(metadata, self.vocabularies, _PICTURE_FILE)
            (folder / _CARD_FILE).write_text(card, encoding="utf-8")
        self.metadata = metadata

    def rows(self, ids: Mapping[str, npt.ArrayLike]) -> dict[str, Any]:
        """Maps raw ids to rows of the model.

        Args:
            ids: Raw ids by input, each of shape `(n,)`, of the vocabulary's
                type.

        Returns:
            Rows by input, int32 of shape `(n,)`; 0 for unknown ids.

        Raises:
            ValueError: If an input has no vocabulary or ids of another type.
        """
        rows = {}
        for feature, values in ids.items():
            if feature not in self.vocabularies:
                raise ValueError(
                    f"`ids` must be of {sorted(self.vocabularies)}. "
                    f"Received: {feature!r}"
                )
            rows[feature] = self.vocabularies[feature].rows(values)
        return rows

    def predict(
        self,
        inputs: Mapping[str, npt.ArrayLike],
        *,
        by: Literal["id", "row"] = "id",
        batch_size: int = 65_536,
    ) -> npt.NDArray[Any]:
        """Predicts for raw ids.

        Args:
            inputs: Raw ids by input, each of shape `(n,)`, or `(n, m)` for
                an input of several values. Unknown ids get the answer of row
                0, see `rows` for which they are. Inputs without a vocabulary
                go to the model as they are.
            by: `"row"` for rows of the model in the place of raw ids.
            batch_size: Examples in one call of the model.

        Returns:
            The model's answers, `(n, 1)` for the models of the zoo.

        Raises:
            ValueError: If an input is missing, lengths differ, ids are of
                another type than the vocabulary's, or a row is not in the
                table.
        """
        missing = sorted(set(self._num_rows) - set(inputs))
        if missing:
            raise ValueError(
                f"`inputs` must hold {sorted(self._num_rows)}. "
                f"Received: inputs without {missing}"
            )
        arrays = {
            name: self._as_rows(name, values, by)
            if name in self._num_rows
            else np.asarray(values)
            for name, values in inputs.items()
        }
        lengths = {name: len(array) for name, array in arrays.items()}
        if len(set(lengths.values())) != 1:
            raise ValueError(
                "`inputs` must all be of one length. "
                f"Received: lengths {lengths}"
            )
        if not next(iter(lengths.values())):
            return np.zeros((0, *self.model.output_shape[1:]), "float32")
        answers: npt.NDArray[Any] = self.model.predict(
            arrays, batch_size=batch_size, verbose=0
        )
        return answers

    def recommend(
        self,
        users: npt.ArrayLike,
        k: int = 10,
        *,
        seen: Sequence[Iterable[Any]] | None = None,
        by: Literal["id", "row"] = "id",
    ) -> tuple[npt.NDArray[Any], npt.NDArray[np.float32]]:
        """The items with the highest scores for each user.

        Args:
            users: Raw ids of shape `(n,)`. Unknown users get the answer of
                row 0.
            k: Length of the lists.
            seen: For every user the items not to recommend again; unknown
                ones are passed over.
            by: `"row"` for rows of the model, in `users`, `seen` and the
                answer, in the place of raw ids.

        Returns:
            Raw ids of items and their scores, each of shape `(n, k)`, the
            best first, of equal scores the lower row. A place that no item is
            left for holds the id `-1` or `""`, and the score minus infinity.

        Raises:
            ValueError: If the model has other inputs than a user and an item
                or more than one score, or there are fewer than `k` items.
        """
        user_rows = self._as_rows("user", users, by)
        if seen is None:
            seen = [()] * len(user_rows)
        if len(seen) != len(user_rows):
            raise ValueError(
                "`seen` must hold the items of every user in `users` "
                f"({len(user_rows)}). Received: {len(seen)}"
            )
        seen_rows = [
            self._as_rows("item", items, by) if items else np.zeros(0, np.int32)
            for items in map(list, seen)
        ]
        if k not in self._recommenders:
            self._recommenders[k] = ItemRecommender(
                self.model, self.vocabularies, self._num_rows, k
            )
        rows, scores = self._recommenders[k](user_rows, seen_rows)
        if by == "row":
            return rows, scores
        ids = self.vocabularies["item"].raw(np.maximum(rows, 1))
        nobody: Any = "" if ids.dtype.kind == "U" else -1
        return np.where(rows > 0, ids, nobody), scores

    def export(
        self,
        path: str | os.PathLike[str],
        *,
        version: int | None = None,
        precision: Precision = "float32",
    ) -> Path:
        """Writes the model as a SavedModel that speaks in raw ids.

        It can be asked for predictions, vectors and, a model of users and
        items, lists: see `keras_emb.serving.export_recommender`.

        Args:
            path: Folder of all versions of the model.
            version: Positive integer; the next one by default.
            precision: Type in which the values of tables are stored.

        Returns:
            The folder `<path>/<version>`.

        Raises:
            ValueError: If the version exists already, or the tables cannot be
                stored so.
        """
        from keras_emb.serving import export_recommender

        return export_recommender(
            self.model,
            self.vocabularies,
            Path(path),
            version=version,
            precision=precision,
        )

    def _as_rows(
        self, feature: str, values: Any, by: str
    ) -> npt.NDArray[np.int32]:
        if by not in ("id", "row"):
            raise ValueError(f"`by` must be 'id' or 'row'. Received: by={by!r}")
        if feature not in self._num_rows:
            raise ValueError(
                f"The model must have an input {feature!r}. "
                f"Received: a model of {sorted(self._num_rows)}"
            )
        array = np.asarray(values)
        places = self._places.get(feature)
        if array.ndim == 0 or array.shape[1:] != ((places,) if places else ()):
            shape = f"(n, {places})" if places else "(n,)"
            raise ValueError(
                f"`{feature}` must be of shape {shape}. "
                f"Received: shape {array.shape}"
            )
        if by == "id":
            rows: npt.NDArray[np.int32] = self.rows({feature: array})[feature]
            return rows
        count = self._num_rows[feature]
        if array.size and (
            array.dtype.kind not in "iu"
            or not 0 <= array.min() <= array.max() < count
        ):
            raise ValueError(
                f"`{feature}` must hold rows in 0..{count - 1}. "
                f"Received: dtype {array.dtype}, from {array.min()} to "
                f"{array.max()}"
            )
        return array.astype(np.int32)


def _plain(metadata: Mapping[str, Any]) -> dict[str, Any]:
    """Metadata as JSON gives them back."""
    try:
        text = json.dumps(dict(metadata), default=lambda value: value.item())
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "`metadata` must be plain values: numbers, strings, lists and "
            f"mappings by strings. Received: {metadata} ({error})"
        ) from error
    return dict(json.loads(text))


def _rows_by_feature(model: keras.Model) -> dict[str, int]:
    """Rows of the smallest table that each input looks up."""
    found: dict[str, int] = {}
    tables = find_tables(model)
    for name, feature in table_features(model).items():
        if not isinstance(feature, str):
            raise ValueError(
                "Every input of `model` that looks up a table must have it to "
                "itself: rows of a table that several inputs share are no "
                "raw ids. `keras_emb.serving.export_for_serving` serves such "
                f"a model by rows. Received: table {name!r} of {feature}"
            )
        rows = table_rows(tables[name])
        found[feature] = min(rows, found.get(feature, rows))
    return found


def _values_by_input(model: keras.Model) -> dict[str, int]:
    """How many values an example has, by input of more than one."""
    if feature_consumers(model) is None:
        return {}
    return {
        name: int(tensor.shape[1])
        for name, tensor in named_inputs(model).items()
        if len(tensor.shape) > 1
    }
