"""What versions of a model on a stream have in common: its raw ids."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_emb import (
    EmbeddingSizeModel,
    SizeAssignment,
    SparseAdam,
    StreamBatches,
    compact,
    train_on_stream,
)
from keras_emb.datasets import GrowingVocabulary
from keras_emb.training import apply_assignment
from keras_emb.zoo import StreamingDLRS

CAPACITY = {"user": 40, "item": 30}
BATCH, STEPS = 50, 6


@pytest.fixture(scope="module")
def versions(tmp_path_factory):
    """A stream saved as version 1 in its middle and as version 2 later."""
    folder = tmp_path_factory.mktemp("versions")
    rng = np.random.default_rng(0)
    count = 2 * STEPS * BATCH
    # New ids come all along, as strings of users and numbers of items.
    raw = {
        "user": np.array(
            [f"u{n}" for n in rng.integers(0, 5 + np.arange(count) // 20)]
        ),
        "item": 1000 - rng.integers(0, 3 + np.arange(count) // 30),
    }
    label = rng.integers(0, 2, count).astype("float32")
    growing = {n: GrowingVocabulary(size) for n, size in CAPACITY.items()}
    saved = []
    for number in (1, 2):
        part = slice(0, number * STEPS * BATCH)
        rows = {name: growing[name].add(ids[part]) for name, ids in raw.items()}
        # Resumed as in another process: from the checkpoint alone.
        keras.utils.set_random_seed(number)
        model = StreamingDLRS.from_sizes(
            users=CAPACITY["user"],
            items=CAPACITY["item"],
            embedding_dim=8,
            hidden_units=8,
        )
        model.compile(SparseAdam(0.01), "mse")
        record = train_on_stream(
            model,
            StreamBatches(rows, label[part], batch_size=BATCH),
            checkpoint=folder / "stream.npz",
        )
        assert record.steps == number * STEPS
        # As wide as popular: rows that are still free keep nothing.
        sizes = SizeAssignment.from_sizes(
            {
                name: np.minimum(np.bincount(of, minlength=CAPACITY[name]), 8)
                for name, of in rows.items()
            },
            8,
        )
        preset = EmbeddingSizeModel(
            compact(model, sizes)[0],
            {name: of.vocabulary() for name, of in growing.items()},
            sizes,
        )
        preset.save_to_preset(folder / f"preset_{number}")
        preset.export(folder / "served", version=number)
        saved.append((apply_assignment(model, sizes), rows))
    return folder, raw, saved


def test_every_id_keeps_its_row_and_its_answers(versions):
    folder, _, saved = versions
    before, after = (
        EmbeddingSizeModel.from_preset(folder / f"preset_{number}")
        for number in (1, 2)
    )
    for name, vocabulary in before.vocabularies.items():
        known = vocabulary.raw_ids
        assert len(after.vocabularies[name]) > len(vocabulary)
        assert len(after.vocabularies[name]) < CAPACITY[name]
        np.testing.assert_array_equal(
            after.rows({name: known})[name], before.rows({name: known})[name]
        )
    for preset, (model, rows) in zip((before, after), saved, strict=True):
        raw = {
            name: preset.vocabularies[name].raw(of) for name, of in rows.items()
        }
        np.testing.assert_allclose(preset.predict(raw), model(rows), 1e-4, 1e-5)


def test_served_versions_mean_the_same_ids(versions):
    folder, raw, saved = versions
    new = sorted(set(raw["user"]) - set(raw["user"][: STEPS * BATCH]))
    assert new
    known = [raw["user"][0], raw["user"][1]]
    for number, (model, _) in enumerate(saved, 1):
        preset = EmbeddingSizeModel.from_preset(folder / f"preset_{number}")
        served = tf.saved_model.load(str(folder / "served" / str(number)))
        answer = served.signatures["serving_default"](
            user=tf.constant([*known, new[0], "nobody"]),
            item=tf.constant([raw["item"][0]] * 4, tf.int64),
        )
        assert answer["is_known"].numpy().tolist() == [
            *[True, True],
            number == 2,
            False,
        ]
        expected = preset.predict(
            {
                "user": np.array([*known, new[0], "nobody"]),
                "item": np.full(4, raw["item"][0]),
            }
        )
        scores = next(
            tensor for name, tensor in answer.items() if "known" not in name
        )
        np.testing.assert_allclose(scores, expected, 1e-4, 1e-5)
        rows = preset.rows({"user": known, "item": [raw["item"][0]] * 2})
        np.testing.assert_allclose(expected[:2], model(rows), 1e-4, 1e-5)


def test_free_rows_are_recommended_to_nobody(versions):
    folder, raw, _ = versions
    for number in (1, 2):
        preset = EmbeddingSizeModel.from_preset(folder / f"preset_{number}")
        items = preset.vocabularies["item"].raw_ids
        found, _ = preset.recommend([raw["user"][0]], k=len(items))
        assert sorted(found[0]) == sorted(items)
