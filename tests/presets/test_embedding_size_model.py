import json
import shutil

import keras
import numpy as np
import pytest

from keras_emb import (
    BipartiteGraph,
    EmbeddingSizeModel,
    MaskedEmbedding,
    SizeAssignment,
    compact,
    precompute,
    retrain,
)
from keras_emb.datasets import Vocabulary, load
from keras_emb.layers import find_tables
from keras_emb.training import TrainingRecipe
from keras_emb.zoo import DeepFM, LightGCN, MatrixFactorization, NeuMF

USERS = ["ann", "bob", "cem", "dot"]
ITEMS = [70, 10, 50, 20, 60, 30]
VOCABULARIES = {"user": Vocabulary(USERS), "item": Vocabulary(ITEMS)}


def _random_weights(model, seed=0):
    rng = np.random.default_rng(seed)
    for weight in model.trainable_variables:
        weight.assign(rng.normal(size=weight.shape))
    return model


def _sizes(model, structure="prefix"):
    rng = np.random.default_rng(1)
    tables = {
        name: (int(t.vocabulary_size), int(t.output_dim))
        for name, t in find_tables(model).items()
    }
    if structure == "mask":
        return SizeAssignment.from_masks(
            {name: rng.random(shape) < 0.5 for name, shape in tables.items()}
        )
    return SizeAssignment.from_sizes(
        {
            n: rng.integers(0, dim + 1, rows)
            for n, (rows, dim) in tables.items()
        },
        {n: dim for n, (_, dim) in tables.items()},
    )


def _factorization(structure="prefix"):
    model = _random_weights(
        MatrixFactorization.from_sizes(users=5, items=7, embedding_dim=4)
    )
    sizes = _sizes(model, structure)
    return EmbeddingSizeModel(
        compact(model, sizes)[0],
        VOCABULARIES,
        sizes,
        {"metrics": {"test": {"mse": 0.5}}, "dataset": "synthetic"},
    )


def _neumf():
    model = _random_weights(
        NeuMF.from_sizes(users=5, items=7, embedding_dim=10)
    )
    sizes = _sizes(model)
    return EmbeddingSizeModel(compact(model, sizes)[0], VOCABULARIES, sizes)


def _graph(seed=2):
    graph = BipartiteGraph.from_pairs([1, 1, 2, 3, 4], [1, 2, 3, 6, 5], 5, 7)
    return _random_weights(LightGCN.from_graph(graph, embedding_dim=4), seed)


def _lightgcn():
    model = _graph()
    sizes = _sizes(model)
    return EmbeddingSizeModel(compact(model, sizes)[0], VOCABULARIES, sizes)


def _vectors():
    model = _graph()
    return EmbeddingSizeModel(precompute(model), VOCABULARIES, _sizes(model))


def _own():
    ids = {n: keras.Input((), dtype="int32", name=n) for n in VOCABULARIES}
    rows = [
        keras.layers.Embedding(len(v), 3, name=f"{n}s")(ids[n])
        for n, v in VOCABULARIES.items()
    ]
    score = keras.layers.Dense(1)(keras.layers.Concatenate()(rows))
    return EmbeddingSizeModel(keras.Model(ids, score), VOCABULARIES)


ALL = {
    "prefix": _factorization,
    "mask": lambda: _factorization("mask"),
    "neumf": _neumf,
    "lightgcn": _lightgcn,
    "vectors": _vectors,
    "own": _own,
}


@pytest.fixture(scope="module")
def models():
    return {name: make() for name, make in ALL.items()}


@pytest.fixture
def preset(models, tmp_path):
    models["prefix"].save_to_preset(tmp_path / "mine")
    return tmp_path / "mine"


def _all_scores(model):
    """What the model answers for all rows of its vocabularies."""
    users, items = np.divmod(np.arange(5 * 7, dtype="int32"), 7)
    return np.asarray(model.model({"user": users, "item": items})).reshape(5, 7)


@pytest.mark.parametrize("name", ALL)
def test_raw_ids_and_rows_get_the_models_answers(models, name):
    model, scores = models[name], _all_scores(models[name])
    users, items = ["dot", "nobody", "ann"], [10, 30, 999]
    rows = model.rows({"user": users, "item": items})
    assert rows["user"].tolist() == [4, 0, 1]
    assert rows["item"].tolist() == [2, 6, 0]
    by_id = model.predict({"user": users, "item": items})
    assert by_id.shape == (3, 1)
    expected = scores[rows["user"], rows["item"]]
    np.testing.assert_allclose(by_id[:, 0], expected, 1e-5, 1e-6)
    by_row = model.predict(rows, by="row", batch_size=2)
    np.testing.assert_allclose(by_row, by_id, 1e-5, 1e-6)
    assert model.predict({"user": [], "item": []}, by="row").shape == (0, 1)


@pytest.mark.parametrize("name", ALL)
def test_recommended_are_the_best_unseen_items(models, name):
    model, scores = models[name], _all_scores(models[name])
    users = ["bob", "nobody", "ann"]
    seen = [[70, 10, 999], [], np.array([30])]
    found, best = model.recommend(users, k=3, seen=seen)
    for number, row in enumerate([2, 0, 1]):
        left = [item for item in ITEMS if item not in seen[number]]
        of_user = dict(zip(ITEMS, scores[row, 1:], strict=True))
        expected = sorted(left, key=lambda item: -of_user[item])[:3]
        assert found[number].tolist() == expected
        np.testing.assert_allclose(
            best[number], [of_user[i] for i in expected], 1e-4, 1e-5
        )
    rows, _ = model.recommend([2, 0, 1], 3, seen=[[1, 2], [], [6]], by="row")
    assert [[ITEMS[r - 1] for r in of] for of in rows] == found.tolist()


def test_rows_without_an_id_are_never_recommended(models):
    model = models["prefix"]
    few = {"user": VOCABULARIES["user"], "item": Vocabulary(ITEMS[:3])}
    growing = EmbeddingSizeModel(model.model, few)
    items, _ = growing.recommend(USERS, k=3)
    assert all(set(row) == set(ITEMS[:3]) for row in items.tolist())


def test_places_that_no_item_is_left_for_are_empty(models):
    items, scores = models["prefix"].recommend(
        ["ann", "bob"], k=4, seen=[ITEMS[:3], []]
    )
    assert set(items[0, :3]) == set(ITEMS[3:]) and items[0, 3] == -1
    assert np.isneginf(scores[0, 3]) and np.isfinite(scores[1]).all()
    rows, _ = models["prefix"].recommend([1], 4, seen=[[1, 2, 3]], by="row")
    assert rows[0, 3] == 0
    assert models["prefix"].recommend([], 2, by="row")[0].shape == (0, 2)


def test_inputs_of_several_values(tmp_path):
    backbone = DeepFM.from_sizes(
        fields={"user": 5, "genres": 4},
        embedding_dim=4,
        multi_valued={"genres": 3},
        hidden_units=(4,),
    )
    small, _ = compact(_random_weights(backbone), _sizes(backbone))
    vocabularies = {
        "user": VOCABULARIES["user"],
        "genres": Vocabulary(["epic", "noir", "war"]),
    }
    EmbeddingSizeModel(small, vocabularies).save_to_preset(tmp_path / "mine")
    model = EmbeddingSizeModel.from_preset(tmp_path / "mine")
    genres = [["epic", "war", "none"], ["noir", "noir", "noir"]]
    np.testing.assert_allclose(
        model.predict({"user": ["ann", "bob"], "genres": genres}),
        small(
            {
                "user": np.array([1, 2]),
                "genres": np.array([[1, 3, 0], [2, 2, 2]]),
            }
        ),
        rtol=1e-5,
    )
    card = (tmp_path / "mine/README.md").read_text()
    assert '"genres": [["epic", "epic", "epic"]' in card
    with pytest.raises(ValueError, match=r"`genres` must be of shape \(n, 3\)"):
        model.predict({"user": ["ann"], "genres": ["epic"]})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda m: m.predict({"user": ["ann"]}), r"without \['item'\]"),
        (lambda m: m.predict({"user": ["ann"], "item": [1, 2]}), "one length"),
        (lambda m: m.predict({"user": [1], "item": [10]}), "vocabulary's type"),
        (lambda m: m.predict({"user": [5], "item": [1]}, by="row"), r"0\.\.4"),
        (lambda m: m.predict({"user": [-1], "item": [1]}, by="row"), "-1"),
        (lambda m: m.predict({"user": "ann", "item": 10}), "must be of shape"),
        (lambda m: m.predict({}, by="name"), r"without \['item', 'user'\]"),
        (lambda m: m.recommend(["ann"], by="name"), "'id' or 'row'"),
        (lambda m: m.recommend(["ann"], k=7), "between 1 and 6"),
        (lambda m: m.recommend(["ann"], k=0), "between 1 and 6"),
        (lambda m: m.recommend(["ann"], 2, seen=[]), "of every user"),
        (lambda m: m.rows({"movie": [1]}), "Received: 'movie'"),
    ],
)
def test_mistakes_are_named(models, call, words):
    with pytest.raises(ValueError, match=words):
        call(models["prefix"])


def test_vocabularies_must_fit_the_tables(models):
    model = models["prefix"].model
    with pytest.raises(ValueError, match="for 'item'. Received: none"):
        EmbeddingSizeModel(model, {"user": VOCABULARIES["user"]})
    long = {**VOCABULARIES, "item": Vocabulary(range(1, 8))}
    with pytest.raises(ValueError, match="at most 7 rows .* Received: 8"):
        EmbeddingSizeModel(model, long)


@pytest.mark.parametrize("name", ALL)
def test_a_preset_comes_back_as_it_was(models, name, tmp_path):
    model, folder = models[name], tmp_path / "deep" / "mine"
    model.save_to_preset(folder)
    back = EmbeddingSizeModel.from_preset(folder)
    np.testing.assert_array_equal(_all_scores(back), _all_scores(model))
    assert back.rows({"user": USERS})["user"].tolist() == [1, 2, 3, 4]
    if model.sizes is not None:
        assert back.sizes.tables == model.sizes.tables
        alone = SizeAssignment.from_preset(folder)
        assert alone.tables == model.sizes.tables
    assert back.metadata["name"] == "mine"
    assert back.metadata["bytes"]["total"] == sum(
        weight.numpy().nbytes for weight in model.model.weights
    )
    assert [path.name for path in folder.parent.iterdir()] == ["mine"]


def test_a_bare_name_is_a_folder_where_one_stands(
    models, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    models["neumf"].save_to_preset("mine")
    assert (tmp_path / "mine" / "metadata.json").is_file()
    assert EmbeddingSizeModel.from_preset("mine").metadata["name"] == "mine"


def test_the_card_says_what_is_on_disk(preset):
    metadata = json.loads((preset / "metadata.json").read_text())
    card = (preset / "README.md").read_text()
    files = {
        path.relative_to(preset).as_posix(): path.stat().st_size
        for path in preset.rglob("*")
        if path.is_file() and path.name not in ("README.md", "metadata.json")
    }
    assert files == {k: v["bytes"] for k, v in metadata["files"].items()}
    for name, size in files.items():
        assert f"| `{name}` | {size:,} |" in card
    assert f"{metadata['bytes']['total']:,}" in card
    assert "| mse | 0.5000 |" in card
    assert "Planted ratings" in card
    assert "![" in card and (preset / "sizes.png").read_bytes()[1:4] == b"PNG"


def test_an_older_preset_is_replaced_and_nothing_else(models, preset, tmp_path):
    models["neumf"].save_to_preset(preset)
    assert EmbeddingSizeModel.from_preset(preset).metadata["model"] == "NeuMF"
    assert not (preset / "mine").exists()
    (tmp_path / "notes").mkdir()
    (tmp_path / "notes" / "a.txt").write_text("mine")
    with pytest.raises(ValueError, match="`preset_dir` must be a new folder"):
        models["neumf"].save_to_preset(tmp_path / "notes")
    assert (tmp_path / "notes" / "a.txt").read_text() == "mine"


def test_a_preset_that_fails_to_be_written_leaves_nothing(
    models, preset, tmp_path, monkeypatch
):
    before = (preset / "metadata.json").read_bytes()
    model = models["neumf"]

    def full(*arguments, **settings):
        raise OSError("no space left")

    monkeypatch.setattr(type(model.model), "save_weights", full)
    for folder in (preset, tmp_path / "new"):
        with pytest.raises(OSError, match="no space left"):
            model.save_to_preset(folder)
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]
    assert (preset / "metadata.json").read_bytes() == before


FILES = [
    "config.json",
    "model.weights.h5",
    "sizes.npz",
    "vocabulary/user.npz",
]


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("damage", ["missing", "flipped", "cut"])
def test_damage_is_named(preset, file, damage):
    path = preset / file
    data = bytearray(path.read_bytes())
    if damage == "missing":
        path.unlink()
    else:
        data[len(data) // 2] ^= 1
        path.write_bytes(data[:-9] if damage == "cut" else data)
    with pytest.raises(ValueError, match=f"`preset` must be .*{file}"):
        EmbeddingSizeModel.from_preset(preset)


def test_other_formats_are_refused(preset):
    path = preset / "metadata.json"
    metadata = json.loads(path.read_text())
    path.write_text(json.dumps({**metadata, "format": 2}))
    with pytest.raises(ValueError, match="a newer keras_emb wrote"):
        EmbeddingSizeModel.from_preset(preset)
    path.write_text("{}")
    with pytest.raises(ValueError, match="names no format"):
        EmbeddingSizeModel.from_preset(preset)
    path.write_text("{")
    with pytest.raises(ValueError, match=r"metadata.json is not JSON"):
        EmbeddingSizeModel.from_preset(preset)


def test_files_that_do_not_belong_together_are_refused(
    models, preset, tmp_path
):
    models["neumf"].save_to_preset(tmp_path / "other")
    for file in ("config.json", "model.weights.h5"):
        broken = tmp_path / f"broken_{file}"
        shutil.copytree(preset, broken)
        shutil.copy(tmp_path / "other" / file, broken / file)
        metadata = json.loads((broken / "metadata.json").read_text())
        other = json.loads((tmp_path / "other/metadata.json").read_text())
        metadata["files"][file] = other["files"][file]
        (broken / "metadata.json").write_text(json.dumps(metadata))
        with pytest.raises(ValueError, match="must hold the model.weights.h5"):
            EmbeddingSizeModel.from_preset(broken)


def test_an_unknown_class_is_named(models, preset):
    config = (preset / "config.json").read_text()
    assert "MatrixFactorization" in config
    (preset / "config.json").write_text(
        config.replace("MatrixFactorization", "SomebodyElsesFactorizer")
    )
    metadata = json.loads((preset / "metadata.json").read_text())
    del metadata["files"]["config.json"]
    (preset / "metadata.json").write_text(json.dumps(metadata))
    with pytest.raises(ValueError, match="whose classes are known here"):
        EmbeddingSizeModel.from_preset(preset)


def test_no_such_preset(tmp_path):
    with pytest.raises(ValueError, match="Received: preset='ciess_mf_95'"):
        EmbeddingSizeModel.from_preset("ciess_mf_95")
    with pytest.raises(ValueError, match="Received: preset="):
        SizeAssignment.from_preset(tmp_path)
    with pytest.raises(ValueError, match="Received: preset=''"):
        EmbeddingSizeModel.from_preset("")


@pytest.mark.parametrize("name", ["prefix", "mask", "neumf"])
def test_without_weights_it_is_a_model_to_train_at_these_sizes(
    models, name, tmp_path
):
    models[name].save_to_preset(tmp_path / "mine")
    fresh = EmbeddingSizeModel.from_preset(tmp_path / "mine", False)
    for table_name, table in find_tables(fresh.model).items():
        assert isinstance(table, MaskedEmbedding)
        live = np.asarray(table(np.arange(table.vocabulary_size))) != 0
        np.testing.assert_array_equal(live, fresh.sizes.mask(table_name))
    assert not np.allclose(_all_scores(fresh), _all_scores(models[name]))
    small, _ = compact(fresh.model, fresh.sizes)
    np.testing.assert_allclose(
        _all_scores(EmbeddingSizeModel(small, VOCABULARIES)),
        _all_scores(fresh),
        1e-5,
        1e-6,
    )


def test_stored_vectors_do_not_load_without_weights(models, tmp_path):
    models["vectors"].save_to_preset(tmp_path / "mine")
    with pytest.raises(ValueError, match="`load_weights` must be True"):
        EmbeddingSizeModel.from_preset(tmp_path / "mine", False)


def test_sizes_of_a_preset_go_to_another_backbone(tmp_path):
    data = load("synthetic")
    rows = {name: len(of) for name, of in data.vocabularies.items()}
    kinds = {"users": rows["user"], "items": rows["item"], "embedding_dim": 4}
    model = MatrixFactorization.from_sizes(**kinds)
    sizes = _sizes(model)
    EmbeddingSizeModel(
        compact(model, sizes)[0], data.vocabularies, sizes
    ).save_to_preset(tmp_path / "mine")

    found = SizeAssignment.from_preset(tmp_path / "mine")
    graph = BipartiteGraph.from_interactions(data)
    other, _ = retrain(
        LightGCN.from_graph(graph, embedding_dim=4),
        found,
        data,
        TrainingRecipe(max_epochs=1, batch_size=4096),
        start="scratch",
    )
    small, report = compact(other, found)
    assert report.after.values == 4 * found.num_parameters
    assert find_tables(small)["user"].num_values == sizes.sizes("user").sum()


@pytest.mark.parametrize(
    "metadata",
    [
        {"metrics": {"mse": np.float32(0.7)}},
        {"metrics": {"test": {"mse": 0.7}}, "budget": {"share": 0.1}},
        {"budget": 0.1, "method": "mine"},
    ],
)
def test_metadata_of_ones_own_make_a_card(metadata, tmp_path):
    model = _factorization()
    model.metadata = metadata
    model.save_to_preset(tmp_path / "mine")
    card = (tmp_path / "mine" / "README.md").read_text()
    assert ("0.7000" in card) == ("metrics" in metadata)
    EmbeddingSizeModel.from_preset(tmp_path / "mine")


def test_metadata_must_be_plain(tmp_path):
    model = _factorization()
    model.metadata = {"model": object()}
    with pytest.raises(ValueError, match="`metadata` must be plain values"):
        model.save_to_preset(tmp_path / "mine")
    assert not list(tmp_path.iterdir())


def test_tables_that_inputs_share_have_no_raw_ids():
    ids = {n: keras.Input((), dtype="int32", name=n) for n in ("a", "b")}
    table = keras.layers.Embedding(9, 2)
    model = keras.Model(
        ids, keras.layers.Dot(1)([table(i) for i in ids.values()])
    )
    both = dict.fromkeys(ids, Vocabulary([1, 2]))
    with pytest.raises(ValueError, match="table .* of .*'a', 'b'"):
        EmbeddingSizeModel(model, both)
