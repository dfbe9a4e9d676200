import datetime

import numpy as np
import pytest

from keras_emb.datasets import load, read_avazu
from tests.datasets.click_lines import AVAZU_HEADER, avazu_lines

LINES = avazu_lines(60)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "avazu"
    path.mkdir()
    (path / "train.csv").write_text("\n".join([AVAZU_HEADER, *LINES]) + "\n")
    return path.parent


def test_every_column_is_where_it_was(folder):
    clicks = read_avazu(folder)
    rows = [line.split(",") for line in LINES]
    np.testing.assert_array_equal(clicks.label, [int(row[1]) for row in rows])
    times = [datetime.datetime.strptime(row[2], "%y%m%d%H") for row in rows]
    expected = {
        "hour": [time.hour for time in times],
        "weekday": [time.weekday() for time in times],
        "C1": [int(row[3]) for row in rows],
        "site_id": [int(row[5], 16) for row in rows],
        "device_model": [int(row[13], 16) for row in rows],
        "C21": [int(row[23]) for row in rows],
    }
    for name, raw in expected.items():
        found = clicks.raw_ids[name][clicks.codes[name]]
        np.testing.assert_array_equal(found, raw, err_msg=name)
    assert len(clicks.codes) == 23
    data = load("avazu", data_dir=folder, seed=1)
    assert len(data.train) == 48 and set(data.vocabularies) == set(clicks.codes)


def test_errors_name_file_and_line(tmp_path):
    path = tmp_path / "train.csv"
    path.write_text(
        f"{AVAZU_HEADER}\n{LINES[0]}\n{LINES[1].rpartition(',')[0]}\n"
    )
    with pytest.raises(ValueError, match=r"train\.csv, line 3: expected 24"):
        read_avazu(tmp_path)
    path.write_text(f"{LINES[0]}\n{LINES[1]}\n")
    with pytest.raises(ValueError, match=r"line 1: the header must be 'id,cl"):
        read_avazu(tmp_path)
    wrong = LINES[0].split(",")
    wrong[2] = "14139900"
    path.write_text(f"{AVAZU_HEADER}\n{','.join(wrong)}\n")
    with pytest.raises(ValueError, match="hour must be.*YYMMDDHH.*14139900"):
        read_avazu(tmp_path)
    with pytest.raises(ValueError, match="'avazu' with 'train' in it"):
        read_avazu(tmp_path, "sample")
