import numpy as np
import pytest

from keras_emb.datasets import load
from keras_emb.datasets.movielens import read_movielens_clicks

RATINGS = "1::10::5::978300760\n2::20::3::0\n1::20::4::3\n3::10::1::86400\n"
USERS = "1::F::1::10::48067\n2::M::56::16::70072-11\n3::M::25::15::48000\n"
MOVIES = (
    "10::Toy Story (1995)::Animation|Comedy\n20::Am\xe9lie (2001)::Romance\n"
    "30::Never (Rated) (1995)::Comedy\n"
)


def write(folder, ratings=RATINGS, users=USERS, movies=MOVIES):
    for name, text in (
        ("ratings", ratings),
        ("users", users),
        ("movies", movies),
    ):
        (folder / f"{name}.dat").write_text(text, encoding="latin-1")
    return folder


def test_every_field_by_hand(tmp_path):
    clicks = read_movielens_clicks(write(tmp_path))
    assert clicks.label.tolist() == [1, 0, 1, 0]
    expected = {
        "user": [1, 2, 1, 3],
        "gender": ["F", "M", "F", "M"],
        "age": ["1", "56", "1", "25"],
        "occupation": ["10", "16", "10", "15"],
        "zip_region": ["480", "700", "480", "480"],
        "movie": [10, 20, 20, 10],
        "release_year": [1995, 2001, 2001, 1995],
        # A Sunday night of 2000, nothing, and two days of 1970.
        "hour": [22, None, 0, 0],
        "weekday": [6, None, 3, 4],
    }
    for name, raw in expected.items():
        found = [
            clicks.raw_ids[name][code] if code >= 0 else None
            for code in clicks.codes[name]
        ]
        assert found == raw, name
    genres = [
        [str(clicks.raw_ids["genres"][code]) for code in row if code >= 0]
        for row in clicks.codes["genres"]
    ]
    assert genres == [
        ["Animation", "Comedy"],
        ["Romance"],
        ["Romance"],
        ["Animation", "Comedy"],
    ]


def test_corrupt_and_missing_files_are_named(tmp_path):
    for files, problem in (
        ({"users": "1::F::1::10\n"}, r"users\.dat, line 1: expected 5"),
        ({"movies": MOVIES + "x::y::z\n"}, r"movies\.dat, line 4: expected 3"),
        ({"users": USERS[:19]}, r"users\.dat must say.*nothing on 2 ids"),
        ({"ratings": "1::2::3\n"}, r"ratings\.dat, line 1: expected 4"),
    ):
        with pytest.raises(ValueError, match=problem):
            load("movielens_1m_click", data_dir=write(tmp_path, **files))
    write(tmp_path)
    (tmp_path / "users.dat").unlink()
    with pytest.raises(ValueError, match=r"must hold users\.dat"):
        load("movielens_1m_click", data_dir=tmp_path)


def test_without_a_folder_it_is_said_what_is_wanted(monkeypatch):
    monkeypatch.delenv("KERAS_EMB_DATA", raising=False)
    with pytest.raises(ValueError, match=r"KERAS_EMB_DATA.*users\.dat"):
        load("movielens_1m_click")
    with pytest.raises(ValueError, match="this one is of clicks"):
        from keras_emb.datasets import load_ratings

        load_ratings("movielens_1m_click")


def test_multi_valued_features_survive_the_split(tmp_path):
    lines = [
        f"{k % 3 + 1}::{10 * (k % 2) + 10}::{k % 5 + 1}::{k}" for k in range(6)
    ]
    data = load(
        "movielens_1m_click",
        data_dir=write(tmp_path, ratings="\n".join(lines) + "\n"),
        shares=(0.5, 0.25, 0.25),
    )
    assert data.train.features["genres"].shape == (len(data.train), 2)
    assert np.isin(data.train.label, (0, 1)).all()
