import numpy as np
import pytest

from keras_emb.datasets import GrowingVocabulary, Vocabulary


@pytest.mark.parametrize("strings", [False, True])
@pytest.mark.parametrize("seed", range(3))
def test_against_a_dictionary(seed, strings):
    random = np.random.default_rng(seed)
    vocabulary, known = GrowingVocabulary(31), {}
    for _ in range(6):
        raw = random.integers(0, 30, 12)
        raw = raw.astype(str) if strings else raw
        for key in raw.tolist():
            known.setdefault(key, len(known) + 1)
        rows = vocabulary.add(raw)
        assert rows.dtype == np.int32
        assert rows.tolist() == [known[key] for key in raw.tolist()]
        assert len(vocabulary) == len(known) + 1
        assert vocabulary.rows(raw).tolist() == rows.tolist()


def test_asking_adds_nothing():
    vocabulary = GrowingVocabulary(9)
    vocabulary.add([5, 3])
    rows = vocabulary.rows([[3, 8], [9, 5]])
    assert rows.tolist() == [[2, 0], [0, 1]]
    assert len(vocabulary) == 3


def test_no_ids_at_all():
    vocabulary = GrowingVocabulary(3)
    assert vocabulary.add([]).shape == vocabulary.rows([]).shape == (0,)
    with pytest.raises(ValueError):
        vocabulary.vocabulary()


def test_too_many_ids_are_refused_as_a_whole():
    vocabulary = GrowingVocabulary(4)
    vocabulary.add([7, 8])
    with pytest.raises(ValueError, match="at most 1 new ids.*Received: 2"):
        vocabulary.add([9, 7, 10])
    assert vocabulary.rows([9, 10]).tolist() == [0, 0]
    assert vocabulary.add([7, 10]).tolist() == [1, 3]


def test_overflow_may_be_unknown():
    vocabulary = GrowingVocabulary(4, overflow="unknown")
    assert vocabulary.add([7, 8, 9, 7, 10]).tolist() == [1, 2, 3, 1, 0]
    assert vocabulary.add([10, 9]).tolist() == [0, 3]
    assert len(vocabulary) == 4


def test_goes_on_from_a_vocabulary_and_back():
    old = Vocabulary([50, 7, 181])
    growing = GrowingVocabulary.from_vocabulary(old, capacity=6)
    ids = np.array([181, 7, 50])
    np.testing.assert_array_equal(growing.rows(ids), old.rows(ids))
    growing.add([3, 4])
    new = growing.vocabulary()
    np.testing.assert_array_equal(new.raw_ids, [50, 7, 181, 3, 4])
    np.testing.assert_array_equal(
        new.rows([4, 50, 99]), growing.rows([4, 50, 99])
    )


@pytest.mark.parametrize("overflow", ["error", "unknown"])
def test_refuses_a_vocabulary_whose_ids_could_not_keep_their_rows(overflow):
    with pytest.raises(ValueError, match="rows of `vocabulary` \\(4\\).*=3"):
        GrowingVocabulary.from_vocabulary(Vocabulary([5, 6, 7]), 3, overflow)


@pytest.mark.parametrize(
    ("known", "new"),
    [([1], ["a"]), (["a"], [1]), ([], [0.5]), ([1], [1.0]), ([], [True])],
)
def test_refuses_ids_of_another_type(known, new):
    vocabulary = GrowingVocabulary(5)
    vocabulary.add(known)
    for method in (vocabulary.add, vocabulary.rows):
        with pytest.raises(ValueError, match="integers or strings"):
            method(new)


def test_refuses_arguments():
    with pytest.raises(ValueError, match="`capacity` must be at least 2"):
        GrowingVocabulary(1)
    with pytest.raises(ValueError, match="`overflow` must be.*'wrap'"):
        GrowingVocabulary(3, overflow="wrap")
