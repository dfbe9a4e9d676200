import logging

import numpy as np
import pytest

from keras_emb.datasets import (
    Ratings,
    clean,
    drop_duplicates,
    drop_rare_items,
)


def test_last_of_each_pair_stays_in_order(caplog):
    ratings = Ratings(
        user=[1, 2, 1, 1, 2],
        item=["a", "a", "b", "a", "a"],
        rating=[1, 2, 3, 4, 5],
        time=[9, 9, 9, 1, 1],
    )
    with caplog.at_level(logging.WARNING):
        kept = drop_duplicates(ratings)
    np.testing.assert_array_equal(kept.rating, [3, 4, 5])
    assert kept.dropped == {"duplicate_pairs": 2}
    assert "2 duplicate" in caplog.text


def test_without_duplicates_nothing_changes(caplog):
    ratings = Ratings([1, 2], [1, 1], [1, 2])
    with caplog.at_level(logging.WARNING):
        assert drop_duplicates(ratings) is ratings
    assert not caplog.text


def test_rare_items_go():
    ratings = Ratings([1, 2, 3, 1], [7, 7, 8, 9], [1, 2, 3, 4])
    kept = drop_rare_items(ratings, 2)
    np.testing.assert_array_equal(kept.item, [7, 7])
    assert kept.dropped == {"rare_items": 2}
    assert drop_rare_items(ratings, 1) is ratings


def test_duplicates_do_not_make_an_item_frequent():
    ratings = Ratings([1, 1, 1, 2], [7, 7, 8, 8], [1, 2, 3, 4])
    kept = clean(ratings, min_item_ratings=2)
    np.testing.assert_array_equal(kept.item, [8, 8])
    assert kept.dropped == {"duplicate_pairs": 1, "rare_items": 1}


@pytest.mark.parametrize("minimum", [0, -1, 5])
def test_refuses(minimum):
    with pytest.raises(ValueError, match="`min_item_ratings`"):
        drop_rare_items(Ratings([1, 2], [1, 2], [1, 2]), minimum)
