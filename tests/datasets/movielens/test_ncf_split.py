import numpy as np
import pytest

from keras_emb.datasets import load_implicit
from keras_emb.datasets.movielens import find_ncf_split, read_ncf_split
from tests.datasets.movielens.fake_files import random_rows, write_fake_files


def write_split(folder, **columns):
    rows = {
        "test_user": np.array([1, 2]),
        "test_item": np.array([8, 9]),
        "test_negative": np.array([[1, 2, 3], [4, 5, 9]]),
        **columns,
    }
    np.savez(folder / "ncf_leave_one_out.npz", **rows)


@pytest.fixture
def folder(tmp_path):
    rows = random_rows(500)
    write_fake_files(tmp_path, "1m", rows)
    pairs = [next(r for r in rows if r[0] == user)[:2] for user in (1, 2)]
    users, items = np.transpose(pairs)
    write_split(tmp_path / "ml-1m", test_user=users, test_item=items)
    return tmp_path


def test_the_published_test_is_used_where_it_lies(folder):
    data = load_implicit("movielens_1m", data_dir=folder, num_candidates=3)
    split = read_ncf_split(find_ncf_split(folder, "1m"))
    assert data.split["held_out"] == "ncf"
    test = data.candidates["test"]
    items = data.vocabularies["item"]
    assert items.raw(test.item).tolist() == split.item.tolist()
    rows = items.rows(split.negatives)
    own = split.negatives == split.item[:, None]
    np.testing.assert_array_equal(test.others, np.where(own, 0, rows))
    with pytest.raises(ValueError, match=r"published test \(3\)"):
        load_implicit("movielens_1m", data_dir=folder)


def test_without_it_the_latest_is_held_out(folder):
    (folder / "ml-1m" / "ncf_leave_one_out.npz").unlink()
    assert find_ncf_split(folder, "1m") is None
    data = load_implicit("movielens_1m", data_dir=folder, num_candidates=3)
    assert data.split["held_out"] == "latest"


def test_refuses_other_files(tmp_path):
    path = tmp_path / "ncf_leave_one_out.npz"
    path.write_text("no")
    with pytest.raises(ValueError, match="must be an .npz file with test_user"):
        read_ncf_split(path)
    np.savez(path, test_user=[1])
    with pytest.raises(ValueError, match="must be an .npz file with test_user"):
        read_ncf_split(path)
    write_split(tmp_path, test_negative=np.ones((3, 4)))
    with pytest.raises(ValueError, match=r"one line of.*\(3, 4\)"):
        read_ncf_split(path)
