import numpy as np
import pytest

from keras_emb.compression import SizeAssignment
from keras_emb.evaluation import Predictor, rating_metrics
from keras_emb.experiments.configs import ExperimentConfig
from keras_emb.experiments.interactions import load_interactions
from keras_emb.experiments.json_file import write_json
from keras_emb.experiments.result import build_result
from keras_emb.experiments.saved_run import SavedRun
from keras_emb.presets.saved_vocabularies import save_vocabularies
from keras_emb.zoo.backbones import MatrixFactorization
from tests.experiments.records import make_record
from tests.experiments.test_result import NUM_BYTES, SECONDS


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run whose model's rows stand in another order than the data's."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    folder.mkdir()
    config = ExperimentConfig.load(
        "demo", ["methods=[dense]", "export.method=dense", "shares=[1.0]"]
    )
    data = load_interactions(config.dataset)
    rows = {name: len(of) for name, of in data.vocabularies.items()}
    model = MatrixFactorization.from_sizes(
        users=rows["user"], items=rows["item"], embedding_dim=4
    )
    rng = np.random.default_rng(0)
    weights = [rng.normal(size=w.shape) for w in model.get_weights()]
    model.set_weights(weights)
    orders = {
        name: np.append(0, 1 + rng.permutation(count - 1))
        for name, count in rows.items()
    }
    inverse = {name: np.argsort(order) for name, order in orders.items()}
    metrics = rating_metrics(
        Predictor(model)(
            {
                name: inverse[name][of].astype("int32")
                for name, of in data.test.features.items()
            }
        ),
        data.test.label,
    )
    model.save(folder / "model.keras")
    assignment = SizeAssignment.uniform(
        {name: (count, 4) for name, count in rows.items()}, 4
    )
    assignment.save(folder / "sizes.npz")
    (folder / "config.yaml").write_text(config.to_yaml())
    save_vocabularies(
        folder,
        {
            name: of.reorder(orders[name])
            for name, of in data.vocabularies.items()
        },
    )
    record = make_record()
    record["metrics"] = {"validation": metrics, "test": metrics}
    result = build_result(
        config,
        [record],
        assignment,
        popularity=data.popularity,
        split=data.split,
        num_bytes=NUM_BYTES,
        seconds=SECONDS,
    )
    write_json(folder / "result.json", result)
    return folder


def test_the_model_is_measured_again_through_its_own_vocabulary(run):
    saved = SavedRun.load(run)
    metrics = saved.evaluate()
    recorded = saved.result["metrics"]["test"]
    assert metrics == pytest.approx(recorded, rel=1e-6)
    assert saved.assignment.kept_share == 1.0


def test_other_metrics_than_recorded_are_an_error(run):
    saved = SavedRun.load(run)
    saved.result["metrics"]["test"]["mse"] *= 1.01
    with pytest.raises(ValueError, match="test mse is .* and was .*"):
        saved.evaluate()


def test_what_is_no_complete_run_is_refused(tmp_path):
    with pytest.raises(ValueError, match="There is no run in .*/absent"):
        SavedRun.load(tmp_path / "absent")
    (tmp_path / "half.partial").mkdir()
    with pytest.raises(ValueError, match="half.partial is an interrupted run"):
        SavedRun.load(tmp_path / "half")
    (tmp_path / "other").mkdir()
    with pytest.raises(ValueError, match="config.yaml is missing"):
        SavedRun.load(tmp_path / "other")
