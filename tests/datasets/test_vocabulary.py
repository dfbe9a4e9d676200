import numpy as np
import pytest

from keras_emb.datasets import Ratings, Vocabulary


@pytest.mark.parametrize("raw_ids", [[50, -7, 181], ["b", "", "é"]])
def test_rows_and_raw_are_inverse(raw_ids):
    vocabulary = Vocabulary(raw_ids)
    assert len(vocabulary) == 4
    rows = vocabulary.rows(raw_ids)
    assert rows.dtype == np.int32
    np.testing.assert_array_equal(rows, [1, 2, 3])
    np.testing.assert_array_equal(vocabulary.raw(rows), raw_ids)


def test_unknown_ids_are_row_zero():
    vocabulary = Vocabulary([50, 7, 181])
    rows = vocabulary.rows([[7, 8], [-1, 999]])
    np.testing.assert_array_equal(rows, [[2, 0], [0, 0]])
    names = Vocabulary(["ab", "cd"])
    np.testing.assert_array_equal(names.rows(["abc", "", "cd"]), [0, 0, 2])


def test_scalars_and_empty_arrays_keep_their_shape():
    vocabulary = Vocabulary([50, 7])
    assert vocabulary.rows(7).shape == ()
    assert vocabulary.rows([]).shape == (0,)
    assert vocabulary.rows([]).dtype == np.int32


def test_order_is_popularity_then_raw_id():
    vocabulary = Vocabulary.by_popularity([9, 3, 9, 5, 3, 1])
    np.testing.assert_array_equal(vocabulary.raw_ids, [3, 9, 1, 5])
    vocabulary = Vocabulary.by_popularity(["z", "b", "z", "a"])
    np.testing.assert_array_equal(vocabulary.raw_ids, ["z", "a", "b"])


def test_reorder_moves_each_old_row():
    rng = np.random.default_rng(0)
    vocabulary = Vocabulary(rng.permutation(50))
    order = np.r_[0, 1 + rng.permutation(50)]
    moved = vocabulary.reorder(order)
    new_rows = np.arange(1, 51)
    np.testing.assert_array_equal(
        moved.raw(new_rows), vocabulary.raw(order[new_rows])
    )


@pytest.mark.parametrize("raw_ids", [[50, 7, 181], ["b", "", "é"]])
def test_save_and_load(tmp_path, raw_ids):
    path = tmp_path / "vocabulary"
    Vocabulary(raw_ids).save(path)
    loaded = Vocabulary.load(path)
    np.testing.assert_array_equal(loaded.raw_ids, raw_ids)
    assert loaded.raw_ids.dtype == Vocabulary(raw_ids).raw_ids.dtype


def test_load_refuses_other_files(tmp_path):
    path = tmp_path / "other.npz"
    np.savez(path, something=np.arange(3))
    with pytest.raises(ValueError, match="written by `Vocabulary.save`"):
        Vocabulary.load(path)
    path.write_bytes(b"no archive")
    with pytest.raises(ValueError, match="written by `Vocabulary.save`"):
        Vocabulary.load(path)
    for damage in (b"", b"PK"):
        path.write_bytes(damage)
        with pytest.raises(ValueError, match="written by `Vocabulary.save`"):
            Vocabulary.load(path)
    with pytest.raises(FileNotFoundError):
        Vocabulary.load(tmp_path / "absent.npz")
    np.savez(path, format_version=2, raw_ids=np.arange(3))
    with pytest.raises(ValueError, match="version 2"):
        Vocabulary.load(path)


@pytest.mark.parametrize(
    ("raw_ids", "message"),
    [
        ([1, 2, 1], "must not repeat an id. Received: 1"),
        (["a", "a"], "must not repeat an id"),
        ([], "non-empty"),
        ([1.5], "integers or strings"),
        ([[1]], "one-dimensional"),
    ],
)
def test_refuses_raw_ids(raw_ids, message):
    with pytest.raises(ValueError, match=message):
        Vocabulary(raw_ids)


@pytest.mark.parametrize(
    "order", [[1, 0, 2], [0, 1], [0, 1, 1], [0, 1, 3], [0.0, 1.0, 2.0]]
)
def test_refuses_orders(order):
    with pytest.raises(ValueError, match="`order` must be a permutation"):
        Vocabulary([5, 6]).reorder(order)


def test_refuses_lookups():
    with pytest.raises(ValueError, match="`raw` must be of the vocabulary's"):
        Vocabulary([5, 6]).rows(["5"])
    with pytest.raises(ValueError, match="`raw` must be of the vocabulary's"):
        Vocabulary(["5"]).rows([5])
    for rows in ([0], [3], [-1]):
        with pytest.raises(ValueError, match="row 0 stands for unknown"):
            Vocabulary([5, 6]).raw(rows)


def test_raw_ids_cannot_be_written():
    with pytest.raises(ValueError, match="read-only"):
        Vocabulary([5, 6]).raw_ids[0] = 1


def test_strings_may_come_as_objects():
    ids = np.array(["u1", "u22"], dtype=object)
    vocabulary = Vocabulary(ids)
    assert vocabulary.rows(ids[::-1]).tolist() == [2, 1]
    assert len(Vocabulary.by_popularity(ids)) == 3
    ratings = Ratings(user=ids, item=[1, 2], rating=[3, 4])
    assert ratings.user.dtype.kind == "U"
    with pytest.raises(ValueError, match="integers or strings.*object"):
        Vocabulary(np.array(["u1", None], dtype=object))


def test_a_vocabulary_that_fails_to_be_written_leaves_the_old(
    tmp_path, monkeypatch
):
    path = tmp_path / "ids.npz"
    Vocabulary([1, 2]).save(path)

    def fail(*arguments, **values):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        Vocabulary([3]).save(path)
    assert Vocabulary.load(path).raw_ids.tolist() == [1, 2]
    assert list(tmp_path.iterdir()) == [path]
