import numpy as np
import pytest

from keras_emb.datasets import load, read_criteo
from keras_emb.datasets.delimited import MISSING
from tests.datasets.click_lines import criteo_lines

LINES = criteo_lines(60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("criteo")
    (path / "train.txt").write_text("".join(f"{x}\n" for x in LINES))
    return path


def test_every_column_is_where_it_was(folder):
    clicks = read_criteo(folder)
    rows = [line.split("\t") for line in LINES]
    np.testing.assert_array_equal(clicks.label, [int(row[0]) for row in rows])
    assert len(clicks.codes) == 39
    for place, name in ((14, "C1"), (39, "C26")):
        raw = clicks.raw_ids[name][clicks.codes[name]]
        assert raw.tolist() == [
            int(row[place], 16) if row[place] else MISSING for row in rows
        ]
    raw = clicks.raw_ids["I13"][clicks.codes["I13"]]
    for found, row in zip(raw, rows, strict=True):
        if row[13] and int(row[13]) <= 2:
            assert found == int(row[13])
        assert (found == MISSING) == (row[13] == "")


def test_counts_may_come_as_values(folder):
    clicks = read_criteo(folder, numeric="values")
    assert set(clicks.values) == {f"I{n}" for n in range(1, 14)}
    counts = [line.split("\t")[1] for line in LINES]
    for found, code, count in zip(
        clicks.values["I1"], clicks.codes["I1"], counts, strict=True
    ):
        known = clicks.raw_ids["I1"][code] == 0
        assert known == bool(count)
        expected = (
            np.log1p(abs(int(count))) * np.sign(int(count)) if known else 1
        )
        np.testing.assert_allclose(found, expected, rtol=1e-6)
    data = load("criteo", data_dir=folder, numeric="values", min_count=2)
    assert data.train.features["I1_value"].dtype == np.float32
    with pytest.raises(ValueError, match="`numeric` must be 'buckets'"):
        load("criteo", data_dir=folder, numeric="raw")


def test_files_larger_than_memory_are_read_through_a_folder(folder, tmp_path):
    expected = load("criteo", data_dir=folder, seed=1)
    work = tmp_path / "work"
    found = load("criteo", data_dir=folder, seed=1, work_dir=work)
    for name, rows in expected.train.features.items():
        np.testing.assert_array_equal(found.train.features[name], rows)
        assert isinstance(found.train.features[name], np.memmap)
        np.testing.assert_array_equal(
            found.popularity[name], expected.popularity[name]
        )
    assert {p.name for p in work.iterdir()} == {"train", "validation", "test"}
    with pytest.raises(ValueError, match="`work_dir` must be a new or empty"):
        load("criteo", data_dir=folder, work_dir=work)


def test_a_corrupt_file_leaves_nothing_behind(tmp_path):
    (tmp_path / "train.txt").write_text(f"{LINES[0]}\n{LINES[1][:-1]}\n")
    with pytest.raises(ValueError, match="line 2"):
        load("criteo", data_dir=tmp_path, work_dir=tmp_path / "work")
    assert not list((tmp_path / "work").glob("*"))


def test_errors_name_file_and_line(tmp_path):
    with pytest.raises(ValueError, match=r"'criteo' with 'train\.txt' in it"):
        read_criteo(tmp_path)
    with pytest.raises(ValueError, match="`config` must be one of"):
        read_criteo(tmp_path, "terabyte")
    (tmp_path / "train.txt").write_text(f"{LINES[0]}\n2{LINES[1][1:]}\n")
    with pytest.raises(ValueError, match=r"train\.txt, line 2: label must be"):
        load("criteo", data_dir=tmp_path)
    with pytest.raises(ValueError, match=r"Options of 'criteo' must be among"):
        load("criteo", data_dir=tmp_path, min_items=2)
    with pytest.raises(ValueError, match="`split` of 'criteo' must be"):
        load("criteo", data_dir=tmp_path, split="leave_one_out")
