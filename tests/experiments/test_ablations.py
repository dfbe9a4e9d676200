import pytest

from keras_emb.experiments.ablations import AblationConfig, run_ablation
from keras_emb.experiments.any_experiment import load_experiment
from keras_emb.experiments.result import merge_results

CONFIG = AblationConfig(
    experiment="blocks",
    method="ablation",
    base="demo",
    compared="dnis",
    overrides=(
        "backbone.embedding_dim=8",
        "recipe.batch_size=8192",
        "recipe.max_epochs=1",
        "search.search_epochs=1",
        "shares=[0.1]",
    ),
    variants={
        "L = 1": ["search.num_blocks=1"],
        "L = 4": ["search.num_blocks=4"],
    },
)


def test_variants_stand_side_by_side(tmp_path):
    news = []
    out = tmp_path / "run"
    result = run_ablation(CONFIG, out, reporter=news.append)
    assert list(result["baselines"]) == ["L = 1", "L = 4"]
    one, four = (
        of["0.1"]["mean"]["test"]["mse"] for of in result["baselines"].values()
    )
    assert one != four
    assert {"variant L = 1", "variant L = 4"} <= set(news)
    assert (out / "plots" / "quality.png").stat().st_size > 10_000
    assert not (out / "work").exists()
    assert load_experiment(out / "config.yaml") == CONFIG
    # As the table of results is written.
    merged = merge_results([result])["baselines"]
    assert {label: set(of) for label, of in merged.items()} == {
        "L = 1": {"0.1"},
        "L = 4": {"0.1"},
    }
    again = run_ablation(CONFIG, out, resume=True)
    assert again["baselines"] == result["baselines"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"variants": {"a": ["seeds=[1]"]}}, "two or more lists"),
        ({"variants": {"a": "seeds=[1]", "b": []}}, "two or more lists"),
        ({"variants": {"a": [], "b": ["search.l2=1"]}}, "`search.l2` is an"),
        ({"compared": "best"}, "`compared` must be out of dense"),
        ({"base": "demonstration"}, "no experiment 'demonstration'"),
        ({"method": "dnis"}, "`method` must be ablation"),
    ],
)
def test_mistakes_are_named_before_anything_runs(change, words):
    with pytest.raises(ValueError, match=words):
        AblationConfig.from_dict({**CONFIG.to_dict(), **change})
