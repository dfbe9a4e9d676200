import numpy as np
import pytest

from keras_emb.training import StreamBatches


def make(count=22, **kwargs):
    rows = np.arange(count)
    return StreamBatches(
        {"row": rows, "pair": np.stack([rows, -rows], 1)},
        rows + 0.5,
        **{"batch_size": 4, **kwargs},
    )


def test_batches_come_in_order_and_the_rest_waits():
    batches = make()
    assert batches.num_batches == 5
    x, y = batches.stack(0, 5)
    np.testing.assert_array_equal(x["inner"]["row"].ravel(), np.arange(20))
    np.testing.assert_array_equal(y, x["inner"]["row"] + 0.5)
    assert x["inner"]["pair"].shape == (5, 4, 2)
    np.testing.assert_array_equal(
        x["inner"]["pair"][..., 1], -x["inner"]["row"]
    )


def test_the_past_is_the_previous_batch():
    x, _ = make().stack(0, 5)
    past = x["outer"]["row"]
    np.testing.assert_array_equal(past[1:], x["inner"]["row"][:-1])
    # The first has none and stands beside itself.
    np.testing.assert_array_equal(past[0], x["inner"]["row"][0])


@pytest.mark.parametrize("past", ["previous_batch", "history"])
def test_labels_of_the_past_are_those_of_its_rows(past):
    x, _ = make(past=past).stack(0, 5)
    np.testing.assert_array_equal(x["outer_target"], x["outer"]["row"] + 0.5)


def test_history_is_drawn_from_all_earlier_batches_only():
    batches = make(4000, past="history")
    x, _ = batches.stack(1, 999)
    past, now = x["outer"]["row"], x["inner"]["row"]
    assert (past < now[:, :1]).all()
    share = past[100:] / now[100:, :1]
    np.testing.assert_allclose(
        [share.min(), share.mean(), share.max()], [0, 0.5, 1], atol=0.02
    )


@pytest.mark.parametrize("past", ["previous_batch", "history"])
def test_a_step_is_the_same_in_any_stack_and_in_a_longer_stream(past):
    whole, _ = make(past=past).stack(0, 5)
    for first in range(5):
        for count in (22, 400):
            x, y = make(count, past=past).stack(first, 1)
            assert y[0, 0] == first * 4 + 0.5
            np.testing.assert_array_equal(
                x["outer"]["row"][0], whole["outer"]["row"][first]
            )


def test_seeds_draw_differently():
    one, same, other = (
        make(past="history", seed=seed).stack(1, 4)[0]["outer"]["row"]
        for seed in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"past": "future"}, "`past` must be"),
        ({"batch_size": 0}, "`batch_size` must lie"),
        ({"batch_size": 23}, r"`batch_size` must lie.*len\(label\)=22"),
        ({"count": 0}, r"`batch_size` must lie.*len\(label\)=0"),
    ],
)
def test_refuses(wrong, message):
    with pytest.raises(ValueError, match=message):
        make(**wrong)


def test_refuses_features_of_another_length():
    with pytest.raises(ValueError, match=r"'row'.*as long as `label` \(4\).*3"):
        StreamBatches({"row": np.arange(3)}, np.zeros(4), batch_size=2)
