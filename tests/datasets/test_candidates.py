import pytest

from keras_emb.datasets import Candidates, Vocabulary


def test_raw_ids_become_rows_and_empty_places():
    vocabularies = {
        "user": Vocabulary([7, 5]),
        "item": Vocabulary([30, 10, 20]),
    }
    lists = Candidates.from_ids(
        user=[5, 6, 7],
        item=[10, 10, 99],
        others=[[30, 10, 30, 20], [10, 20, 30, 30], [98, 20, 97, 10]],
        vocabularies=vocabularies,
    )
    assert lists.user.tolist() == [2, 1]
    assert lists.item.tolist() == [2, 0]
    # The held-out item itself, a repeated one and unknown ones leave gaps.
    assert lists.others.tolist() == [[1, 0, 0, 3], [0, 3, 0, 2]]
    assert lists.others.dtype == "int32"


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        (
            ([1, 1], [1, 2], [[3], [4]]),
            "every user once. Received: 2 rows",
        ),
        (([0], [1], [[2]]), "`user` must hold rows from 1 on. Received: 0"),
        (([1], [-1], [[2]]), "`item` must hold rows from 0 on. Received: -1"),
        (([1], [1], [2]), r"`others` must .* in 2 dim.*shape \(1,\)"),
        (([1], [1, 2], [[2]]), r"`item` must be as long as `user` \(1\)"),
        (([1.0], [1], [[2]]), "`user` must hold integers.*float64"),
        (([1], [2], [[3, 2]]), "the held-out item itself. Received: so 1"),
    ],
)
def test_refuses_what_is_no_list(columns, words):
    with pytest.raises(ValueError, match=words):
        Candidates(*columns)
