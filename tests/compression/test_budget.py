import numpy as np
import pytest

from keras_emb.compression import Budget


def test_reads_numbers():
    assert Budget.of(0.25) == Budget(share=0.25)
    assert Budget.of(1.0) == Budget.of(1) == Budget(share=1.0)
    assert Budget.of(4096) == Budget(num_bytes=4096)
    assert Budget.of(np.float32(0.5)) == Budget(share=0.5)
    assert Budget.of(np.int64(7)) == Budget(num_bytes=7)
    budget = Budget(num_bytes=10, precision="float16")
    assert Budget.of(budget) is budget


def test_a_share_rounds_down_but_not_below_itself():
    assert Budget(share=0.29).num_parameters(100) == 29
    assert Budget(share=0.1).num_parameters(30) == 3
    assert Budget(share=0.1).num_parameters(39) == 3
    assert Budget(share=1.0).num_parameters(10**12) == 10**12


def test_share_of_bytes_leaves_out_the_index():
    tables = {"a": np.zeros((10, 4)), "b": np.zeros((5, 2))}
    assert Budget(share=0.3).resolve_share(tables) == 0.3
    assert Budget(num_bytes=100).resolve_share(tables) == 0.5
    half = Budget(num_bytes=50, precision="float16")
    assert half.resolve_share(tables) == 0.5
    assert Budget(num_bytes=10**6).resolve_share(tables) == 1.0


@pytest.mark.parametrize("budget", [0.0, -0.1, 1.5, float("nan"), 0, -3])
def test_refuses_numbers_out_of_range(budget):
    with pytest.raises(ValueError, match="must .* Received"):
        Budget.of(budget)


@pytest.mark.parametrize("budget", ["10%", None, True, [0.5]])
def test_refuses_other_things(budget):
    with pytest.raises(ValueError, match="`budget` must be"):
        Budget.of(budget)


def test_refuses_none_or_both_and_unknown_precision():
    with pytest.raises(ValueError, match="Exactly one"):
        Budget()
    with pytest.raises(ValueError, match="Exactly one"):
        Budget(share=0.5, num_bytes=7)
    with pytest.raises(ValueError, match="`num_bytes` must be"):
        Budget(num_bytes=0.5)
    with pytest.raises(ValueError, match="`precision` must be"):
        Budget(share=0.5, precision="float31")
    with pytest.raises(ValueError, match="fixes no number"):
        Budget(num_bytes=7).num_parameters(100)
