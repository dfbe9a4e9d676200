import dataclasses

import pytest

from keras_emb.experiments.any_experiment import load_experiment
from keras_emb.experiments.configs import (
    METHODS,
    DatasetConfig,
    ExperimentConfig,
    experiment_names,
)
from keras_emb.experiments.interactions import load_interactions
from keras_emb.zoo.backbones import BACKBONES

SHIPPED = {
    "demo",
    "dnis_matrix_factorization_movielens_1m",
    "dnis_matrix_factorization_movielens_100k",
    "dnis_mlp_movielens_1m",
    "dnis_neumf_movielens_1m",
    "dnis_neumf_movielens_100k_topk",
    "dnis_neumf_movielens_1m_topk",
}


@pytest.mark.parametrize("name", experiment_names())
def test_shipped_experiments_load_and_say_every_key(name, tmp_path):
    config = load_experiment(name)
    assert config.experiment == name
    told = load_experiment(getattr(config, "base", name))
    assert told.backbone.name in BACKBONES
    values = [getattr(config, f.name) for f in dataclasses.fields(config)]
    for group in [config, *filter(dataclasses.is_dataclass, values)]:
        for field in dataclasses.fields(group):
            assert f"{field.name}:" in _source(name)
    copy = tmp_path / "copy.yaml"
    copy.write_text(config.to_yaml())
    assert load_experiment(copy) == config
    assert type(config).from_dict(config.to_dict()) == config


def _source(name):
    from keras_emb import zoo

    folder = zoo.__file__.replace("__init__.py", "experiments")
    with open(f"{folder}/{name}.yaml") as file:
        return file.read()


def test_the_promised_experiments_are_there():
    assert set(experiment_names()) >= SHIPPED
    full = ExperimentConfig.load("dnis_matrix_factorization_movielens_1m")
    # One size a field is one of two sizes here.
    assert full.methods == tuple(m for m in METHODS if m != "autodim")
    assert full.shares == (0.5, 0.2, 0.1, 0.05)
    assert full.seeds == (0, 1, 2)


def test_overrides_are_typed():
    config = ExperimentConfig.load(
        "demo",
        [
            "recipe.learning_rate=1e-2",
            "search.normalize_gradient=false",
            "dataset.shares=null",
            "dataset.options.min_item_ratings=5",
            "seeds=[3, 4]",
            "backbone.embedding_dim=8",
        ],
    )
    assert config.recipe.learning_rate == 0.01
    assert config.search.normalize_gradient is False
    assert config.dataset.shares is None
    assert config.dataset.options == {"min_item_ratings": 5}
    assert config.seeds == (3, 4)
    assert config.backbone.embedding_dim == 8


@pytest.mark.parametrize(
    ("override", "words"),
    [
        ("sahres=[0.1]", ["`sahres`", "unknown", "shares"]),
        ("search.l2=0.1", ["`search.l2`", "unknown", "l1", "search.l2=0.1"]),
        ("recipe=fast", ["`recipe`", "mapping", "learning_rate"]),
        ("seeds=0", ["`seeds`", "list"]),
        ("seeds=[0, 0]", ["`seeds`", "different"]),
        ("seeds=[-1]", ["`seeds`", "negative"]),
        ("seeds=[a]", ["`seeds[0]`", "whole number"]),
        ("seeds=[true]", ["`seeds[0]`", "whole number"]),
        ("shares=[]", ["`shares`", "at least one"]),
        ("shares=[0.1, 1.5]", ["`shares`", "1.5"]),
        ("shares=[.nan]", ["`shares`", "nan"]),
        ("methods=[dense, dnas]", ["`methods`", "dnas", "dnis"]),
        ("method=autoemb", ["`method`", "autoemb"]),
        ("recipe.batch_size=0", ["batch_size", "0"]),
        ("recipe.batch_size=1.5", ["`recipe.batch_size`", "whole number"]),
        ("recipe.learning_rate=high", ["`recipe.learning_rate`", "number"]),
        ("search.num_blocks=0", ["`search.num_blocks`", "at least 1"]),
        ("search.trainable=none", ["`search.trainable`", "tables"]),
        ("search.normalize_gradient=1", ["true or false"]),
        ("export.method=random", ["`export.method`", "random"]),
        ("export.share=0.3", ["`export.share`", "0.3"]),
        ("tuning_trials=0", ["`tuning_trials`"]),
        (
            "tuning_grid={dnis: [{search: {l2: 1}}]}",
            ["`tuning_grid.dnis.search.l2`", "unknown", "num_blocks"],
        ),
        (
            "tuning_grid={dnis: [{search: {num_blocks: few}}]}",
            ["`tuning_grid.dnis.search.num_blocks`", "few"],
        ),
        (
            "tuning_grid={dnis: [{search: 3}]}",
            ["`tuning_grid.dnis.search`", "mapping", "3"],
        ),
        (
            "tuning_grid={uniform: [{width: 1, learnign_rate: 1}]}",
            ["Settings of uniform", "learning_rate", "learnign_rate"],
        ),
        (
            "tuning_grid={uniform: [{learning_rate: 1}]}",
            ["Settings of uniform must have", "width"],
        ),
        ("tuning_grid={dnis: [3]}", ["`tuning_grid.dnis`", "mappings", "3"]),
        (
            "tuning_grid={dnis: [{search: {num_blocks: 0}}]}",
            ["`search.num_blocks`", "at least 1"],
        ),
        ("backbone.embedding_dim=0", ["`backbone.embedding_dim`"]),
        ("seeds", ["key=value", "'seeds'"]),
        ("search..l1=0", ["key=value"]),
        ("seeds.0=1", ["`seeds` is no group"]),
        ("seeds=[", ["YAML"]),
    ],
)
def test_wrong_overrides_get_one_clear_line(override, words):
    with pytest.raises(ValueError) as caught:
        ExperimentConfig.load("demo", [override])
    message = str(caught.value)
    assert "\n" not in message
    for word in words:
        assert word in message


def test_wrong_files_get_one_clear_line(tmp_path):
    with pytest.raises(ValueError, match="no experiment 'dnsi'.*demo"):
        ExperimentConfig.load("dnsi")
    with pytest.raises(ValueError, match="There is no file .*absent.yaml"):
        ExperimentConfig.load(tmp_path / "absent.yaml")
    file = tmp_path / "mine.yaml"
    for text, words in (
        ("a: [", "is not a YAML file"),
        ("- a", "must hold a mapping"),
        ("experiment: mine", "`method` is missing"),
    ):
        file.write_text(text)
        with pytest.raises(ValueError, match=words):
            ExperimentConfig.load(file)


def test_options_of_a_data_set_do_not_repeat_what_stands_beside_them():
    config = DatasetConfig("synthetic", options={"seed": 3})
    with pytest.raises(ValueError, match="`dataset.options`.*Received: seed"):
        load_interactions(config)
