import json
import zipfile

import numpy as np
import pytest

from keras_emb.compression import Budget, SizeAssignment, TableSizes


def _assignment(structure="mask", seed=0):
    rng = np.random.default_rng(seed)
    masks = {
        "user/a": rng.random((50, 13)) < 0.3,
        "item": rng.random((20, 8)) < 0.3,
    }
    if structure == "mask":
        return SizeAssignment.from_masks(masks, {"method": "test"})
    sizes = {name: mask.sum(axis=1) for name, mask in masks.items()}
    dims = {name: mask.shape[1] for name, mask in masks.items()}
    return SizeAssignment.from_sizes(sizes, dims, {"method": "test"})


def test_counts():
    assignment = SizeAssignment(
        {
            "a": TableSizes(4, sizes=[0, 4, 2]),
            "b": TableSizes(2, mask=[[True, False]]),
        }
    )
    assert assignment.structure == "mask"
    assert assignment.num_parameters == 7
    assert assignment.dense_parameters == 14
    assert assignment.kept_share == assignment.sparsity == 0.5
    np.testing.assert_array_equal(assignment.sizes("b"), [1])
    assert assignment.mask("a").sum() == 6
    assert assignment.memory_bytes() == sum(
        table.memory_bytes() for table in assignment.tables.values()
    )


def test_uniform_is_cut_to_narrow_tables():
    assignment = SizeAssignment.uniform({"a": (3, 8), "b": (2, 4)}, 6)
    assert assignment.structure == "prefix"
    assert assignment.num_parameters == 3 * 6 + 2 * 4


def test_origin_can_be_replaced():
    assignment = _assignment()
    other = assignment.with_origin({"seed": 3})
    assert other.origin == {"seed": 3}
    assert other.tables == assignment.tables
    assert assignment.origin == {"method": "test"}


@pytest.mark.parametrize("structure", ["mask", "prefix"])
def test_check(structure):
    assignment = _assignment(structure)
    assert assignment.check(1.0) is assignment
    assignment.check(assignment.kept_share)
    assignment.check(assignment.memory_bytes())
    assignment.check(
        Budget(
            num_bytes=assignment.memory_bytes("float16"), precision="float16"
        )
    )
    with pytest.raises(ValueError, match="exceeds its budget .* parameters"):
        assignment.check(assignment.kept_share * 0.99)
    with pytest.raises(ValueError, match="exceeds its budget .* bytes"):
        assignment.check(assignment.memory_bytes() - 1)


@pytest.mark.parametrize("structure", ["mask", "prefix"])
def test_round_trip(structure, tmp_path):
    assignment = _assignment(structure)
    path = tmp_path / "new" / "sizes.npz"
    assignment.save(path)
    assert SizeAssignment.load(path) == assignment
    assignment.with_origin({"again": 1}).save(path)
    assert SizeAssignment.load(path).origin == {"again": 1}
    assert [file.name for file in path.parent.iterdir()] == ["sizes.npz"]


def test_load_needs_a_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        SizeAssignment.load(tmp_path / "none.npz")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_load_refuses_cut_files(tmp_path, share):
    path = tmp_path / "sizes.npz"
    _assignment().save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(ValueError, match="`path` must be an undamaged file"):
        SizeAssignment.load(path)


@pytest.mark.parametrize("seed", range(20))
def test_load_never_believes_a_damaged_byte(tmp_path, seed):
    path = tmp_path / "sizes.npz"
    assignment = _assignment()
    assignment.save(path)
    data = bytearray(path.read_bytes())
    place = np.random.default_rng(seed).integers(len(data))
    data[place] ^= 0xFF
    path.write_bytes(data)
    try:
        loaded = SizeAssignment.load(path)
    except ValueError as error:
        assert "`path` must be" in str(error)
    else:
        assert loaded == assignment


@pytest.mark.parametrize("content", [b"sizes", b"\x80\x04N.", b"PK\x03\x04"])
def test_load_refuses_foreign_bytes(tmp_path, content):
    path = tmp_path / "sizes.npz"
    path.write_bytes(content)
    with pytest.raises(ValueError, match="`path` must be an undamaged file"):
        SizeAssignment.load(path)


def test_load_refuses_foreign_archives(tmp_path):
    path = tmp_path / "sizes.npz"
    np.savez(path, weights=np.ones(3))
    with pytest.raises(ValueError, match="written by SizeAssignment.save"):
        SizeAssignment.load(path)
    np.savez(path, header=np.array([{"format": 1}], object))
    with pytest.raises(ValueError, match="written by SizeAssignment.save"):
        SizeAssignment.load(path)
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("header.npy", "text")
    with pytest.raises(ValueError, match="written by SizeAssignment.save"):
        SizeAssignment.load(path)


def _rewrite(path, change):
    with np.load(path) as file:
        arrays = {key: file[key] for key in file.files}
    header = json.loads(arrays["header"].tobytes())
    header = change(header, arrays) or header
    text = json.dumps(header).encode()
    arrays["header"] = np.frombuffer(text, np.uint8)
    np.savez(path, **arrays)


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda h, a: {**h, "format": 2}, "a newer keras_emb wrote"),
        (lambda h, a: {**h, "kind": "other"}, "written by SizeAss"),
        (lambda h, a: [1], "written by SizeAss"),
        (lambda h, a: {**h, "tables": []}, "undamaged"),
        (lambda h, a: {**h, "tables": None}, "undamaged"),
        (lambda h, a: a.pop("table_1") is None, "undamaged"),
        (lambda h, a: a.update(table_0=a["table_0"][:, :1]), "undamaged"),
        (lambda h, a: h["tables"][0].pop("structure") is None, "undamaged"),
        (lambda h, a: h["tables"][0].update(output_dim=99), "undamaged"),
    ],
)
def test_load_refuses_other_content(tmp_path, change, message):
    path = tmp_path / "sizes.npz"
    _assignment().save(path)
    _rewrite(path, change)
    with pytest.raises(ValueError, match=message):
        SizeAssignment.load(path)


def test_a_failed_save_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "sizes.npz"
    _assignment().save(path)

    def fail(*args, **kwargs):
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fail)
    with pytest.raises(OSError, match="disk full"):
        _assignment(seed=1).save(path)
    assert SizeAssignment.load(path) == _assignment()
    assert len(list(tmp_path.iterdir())) == 1


def test_plot(tmp_path):
    assignment = _assignment("prefix")
    popularity = {"user/a": np.arange(50), "item": np.zeros(20)}
    path = tmp_path / "plots" / "sizes.png"
    assignment.plot(popularity, path)
    assert path.read_bytes().startswith(b"\x89PNG")
    with pytest.raises(ValueError, match="`popularity` must hold"):
        assignment.plot({"user/a": np.arange(50)}, path)
    with pytest.raises(ValueError, match="`popularity` must hold"):
        assignment.plot({**popularity, "item": np.zeros(3)}, path)


def test_refuses_what_is_no_assignment():
    with pytest.raises(ValueError, match="at least one table"):
        SizeAssignment({})
    with pytest.raises(ValueError, match="`tables` must map"):
        SizeAssignment({"a": np.ones(3)})
    with pytest.raises(ValueError, match="`origin` must hold"):
        _assignment().with_origin({"model": object()})
    with pytest.raises(ValueError, match="`name` must be one of"):
        _assignment().sizes("none")
