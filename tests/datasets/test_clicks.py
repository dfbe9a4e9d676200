import collections

import numpy as np
import pytest

from keras_emb.datasets import Clicks, Interactions, click_rows
from keras_emb.datasets.column_store import ColumnStore
from keras_emb.datasets.delimited import MISSING
from keras_emb.datasets.field_codes import FieldCodes
from keras_emb.datasets.numeric_buckets import numeric_buckets, numeric_values

COUNT = 500


@pytest.fixture(scope="module")
def columns():
    random = np.random.default_rng(0)
    return {
        "label": random.integers(0, 2, COUNT),
        "site": random.zipf(1.5, COUNT).clip(max=10**12),
        "device": random.integers(-3, 4, COUNT),
        "price": random.integers(0, 2, COUNT),
        "price.x": random.normal(size=COUNT),
    }


def chunks(columns, size=64):
    for start in range(0, COUNT, size):
        yield {n: c[start : start + size] for n, c in columns.items()}


def make(columns, folder=None):
    return Clicks.from_chunks(
        chunks(columns), numeric={"price": "price.x"}, folder=folder
    )


def test_codes_stand_for_the_raw_ids(columns):
    codes = FieldCodes()
    found = np.concatenate([codes.add(c["site"]) for c in chunks(columns)])
    np.testing.assert_array_equal(codes.raw_ids[found], columns["site"])
    assert len(codes) == len(set(columns["site"].tolist()))
    assert found.max() == len(codes) - 1


def test_numbers_as_ids_and_as_values():
    raw = np.array([MISSING, -3, 0, 1, 2, 3, 7, 8, 10**6])
    expected = [
        int(np.floor(np.log(x) ** 2)) + 2 if x > 2 else x for x in raw.tolist()
    ]
    assert numeric_buckets(raw).tolist() == expected
    values = numeric_values(raw)
    np.testing.assert_allclose(values[0], 1.0)
    np.testing.assert_allclose(
        values[1:], np.sign(raw[1:]) * np.log(1 + np.abs(raw[1:])), rtol=1e-6
    )


@pytest.mark.parametrize("on_disk", [False, True])
@pytest.mark.parametrize("min_count", [1, 4])
def test_rows_are_ranks_of_training_frequency(
    columns, tmp_path, monkeypatch, on_disk, min_count
):
    monkeypatch.setattr(
        click_rows,
        "blocks",
        lambda column: (column[k : k + 64] for k in range(0, len(column), 64)),
    )
    clicks = make(columns, tmp_path / "codes" if on_disk else None)
    data = Interactions.from_clicks(
        clicks,
        seed=3,
        min_count=min_count,
        folder=tmp_path if on_disk else None,
    )
    labels = np.repeat([0, 1, 2], [400, 50, 50])
    np.random.default_rng(3).shuffle(labels)
    parts = [np.flatnonzero(labels == part) for part in range(3)]
    for field in ("site", "device", "price"):
        raw = columns[field]
        counts = collections.Counter(raw[parts[0]].tolist())
        ranked = sorted(
            (raw for raw, n in counts.items() if n >= min_count),
            key=lambda raw: (-counts[raw], raw),
        )
        assert data.vocabularies[field].raw_ids.tolist() == ranked
        rows = {raw: row for row, raw in enumerate(ranked, start=1)}
        for name, part in zip(
            ("train", "validation", "test"), parts, strict=True
        ):
            examples = getattr(data, name)
            expected = [
                rows.get(raw, 0) for raw in columns[field][part].tolist()
            ]
            assert examples.features[field].tolist() == expected
            assert examples.features[field].dtype == np.int32
            np.testing.assert_array_equal(
                examples.label, columns["label"][part]
            )
            np.testing.assert_array_equal(
                examples.features["price_value"],
                columns["price.x"][part].astype("float32"),
            )
        np.testing.assert_array_equal(
            data.popularity[field],
            np.bincount(data.train.features[field], minlength=len(ranked) + 1),
        )
    assert data.split["min_count"] == min_count
    assert on_disk == isinstance(data.train.features["site"], np.memmap)


def test_fields_of_several_values():
    codes = np.array([[0, 1], [1, -1], [-1, -1], [2, 0]] * 5, np.int32)
    clicks = Clicks(
        {"genre": codes},
        {"genre": np.array(["a", "b", "c"])},
        np.tile([0, 1], 10).astype("float32"),
    )
    data = Interactions.from_clicks(clicks, shares=(1.0, 0.0, 0.0))
    assert data.vocabularies["genre"].raw_ids.tolist() == ["a", "b", "c"]
    assert data.train.features["genre"][:4].tolist() == [
        [1, 2],
        [2, 0],
        [0, 0],
        [3, 1],
    ]
    # Row 0 counts where nothing is known, not every empty place.
    assert data.popularity["genre"].tolist() == [5, 10, 10, 5]


def test_what_cannot_be_is_refused(columns):
    with pytest.raises(ValueError, match="no id of field 'site'"):
        Interactions.from_clicks(make(columns), min_count=200)
    with pytest.raises(ValueError, match="at least one field"):
        Clicks.from_chunks([])
    with pytest.raises(ValueError, match="as long as `label`"):
        Clicks(
            {"a": np.zeros(3, np.int32)}, {"a": np.ones(1, int)}, np.zeros(2)
        )
    with pytest.raises(ValueError, match="three numbers"):
        Interactions.from_clicks(make(columns), shares=(0.8, 0.1))


def test_columns_on_disk_read_like_those_in_memory(tmp_path):
    memory, disk = ColumnStore(), ColumnStore(tmp_path / "store")
    for store in (memory, disk):
        for size in (3, 0, 5):
            store.append("a", np.arange(2 * size, dtype="i4").reshape(-1, 2))
    np.testing.assert_array_equal(memory.column("a"), disk.column("a"))
    assert isinstance(disk.column("a"), np.memmap)
