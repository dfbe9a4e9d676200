import matplotlib
import matplotlib.image
import numpy as np
import pytest

from keras_emb.experiments.plots import (
    plot_alpha,
    plot_pruning,
    plot_quality,
    plot_sizes,
)
from tests.experiments.test_result import make_result


def read(path):
    pixels = matplotlib.image.imread(path)[..., :3]
    assert min(pixels.shape[:2]) > 300
    return pixels


def colors(pixels):
    return set(map(tuple, np.round(pixels * 255).astype(int).reshape(-1, 3)))


RED, BLUE, SKY = (213, 94, 0), (0, 114, 178), (86, 180, 233)


@pytest.mark.parametrize("popularity", [[9, 7, 3, 1], [4, 0, 0, 0], [0] * 4])
def test_sizes_are_drawn_with_their_means(tmp_path, popularity):
    path = tmp_path / "sizes.png"
    plot_sizes(
        {"user": [4, 2, 1, 0], "item": [0, 0, 0, 0]},
        {"user": popularity, "item": [1, 2, 3, 4]},
        path,
    )
    assert RED in colors(read(path))


@pytest.mark.parametrize("seeds", [[0], [0, 1]])
def test_quality_draws_each_method_in_its_color(tmp_path, seeds):
    path = tmp_path / "quality.png"
    plot_quality(make_result(seeds), path)
    assert {BLUE, SKY} <= colors(read(path))


def test_quality_leaves_out_what_diverged(tmp_path):
    result = make_result([0])
    for method in ("dnis", "dense"):
        (cell,) = result["baselines"][method].values()
        cell["mean"]["test"]["mse"] = None
    path = tmp_path / "quality.png"
    plot_quality(result, path)
    assert SKY not in colors(read(path))
    only_dense = {"dense": make_result([0])["baselines"]["dense"]}
    plot_quality({**result, "baselines": only_dense}, path)
    read(path)


def test_alpha_shows_its_values(tmp_path):
    path = tmp_path / "alpha.png"
    alpha = np.zeros((10, 16))
    plot_alpha({"user": alpha, "item": 1 - alpha}, path)
    pixels = read(path)
    for end in matplotlib.colormaps["cividis"]([0.0, 1.0])[:, :3]:
        assert (np.abs(pixels - end).max(axis=-1) < 0.01).mean() > 0.2


def test_pruning_draws_a_curve(tmp_path):
    path = tmp_path / "pruning.png"
    plot_pruning({"dnis": ([0.5, 0.1], [0.8, 0.9])}, path, dense=0.79)
    assert SKY in colors(read(path))
