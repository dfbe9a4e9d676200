import dataclasses
import json
import os
import subprocess
import sys
import types

import keras
import numpy as np
import pytest

from keras_emb.datasets import Interactions, synthetic
from keras_emb.optimizers import SparseAdam
from keras_emb.training import (
    OBJECTIVES,
    Checkpoint,
    Objective,
    PairedBatches,
    Plateau,
    ShuffledBatches,
    StepRunner,
    TrainingRecipe,
    fit_interactions,
    train,
)
from keras_emb.zoo import MatrixFactorization


@pytest.fixture(scope="module")
def data():
    planted = synthetic(num_users=60, num_items=50, num_ratings=1400)
    return Interactions.from_ratings(planted.ratings, "random")


def make_model(data, seed=0):
    keras.utils.set_random_seed(seed)
    return MatrixFactorization.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=4,
    )


def batches_of(count, size, seed=0):
    return ShuffledBatches(
        {"row": np.arange(count)}, np.arange(count), batch_size=size, seed=seed
    )


def test_every_example_comes_once_an_epoch():
    stream = batches_of(10, 4).stack(0, 5)[1].ravel()
    assert sorted(stream[:10]) == sorted(stream[10:]) == list(range(10))
    assert list(stream[:10]) != list(stream[10:])


def test_batches_are_the_same_from_any_step():
    whole = batches_of(10, 4).stack(0, 9)
    for first in range(9):
        features, label = batches_of(10, 4).stack(first, 9 - first)
        np.testing.assert_array_equal(label, whole[1][first:])
        np.testing.assert_array_equal(features["row"], label)
    assert (batches_of(10, 4, seed=1).stack(0, 9)[1] != whole[1]).any()


def test_paired_batches_last_as_long_as_validation():
    paired = PairedBatches(batches_of(100, 4), batches_of(10, 4))
    assert paired.steps_per_epoch == 3
    x, y = paired.stack(2, 3)
    np.testing.assert_array_equal(y, batches_of(100, 4).stack(2, 3)[1])
    np.testing.assert_array_equal(
        x["outer_target"], batches_of(10, 4).stack(2, 3)[1]
    )


def test_no_examples_are_refused():
    with pytest.raises(ValueError, match="at least one example"):
        batches_of(0, 4)


def test_plateau_against_a_trace_by_hand():
    recipe = TrainingRecipe(
        learning_rate=1.0, patience=1, threshold=0.1, stop_after=4
    )
    plateau = Plateau.start(recipe)
    trace = []
    # 0.95 is the best yet, but no improvement of a tenth.
    for loss in (1.0, 0.95, 1.1, 0.5, 0.6, 0.6, 0.6, 0.6):
        is_best = plateau.observe(loss)
        trace.append(
            (is_best, round(plateau.learning_rate, 6), plateau.is_over)
        )
    assert trace == [
        (True, 1.0, False),
        (True, 1.0, False),
        (False, 0.1, False),
        (True, 0.1, False),
        (False, 0.1, False),
        (False, 0.01, False),
        (False, 0.01, False),
        (False, 0.001, True),
    ]


def test_steps_in_one_call_are_the_steps_one_by_one(data):
    batches = ShuffledBatches(
        data.train.features, data.train.label, batch_size=64, seed=0
    )
    weights = []
    for together in (True, False):
        model = make_model(data)
        model.compile(keras.optimizers.SGD(0.1), loss="mse")
        runner = StepRunner(model)
        if together:
            runner.run(batches.stack(0, 6))
        else:
            for step in range(6):
                features, label = batches.stack(step, 1)
                model.train_on_batch(
                    {k: v[0] for k, v in features.items()}, label[0]
                )
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-6)


def test_xla_on_several_replicas_is_refused():
    strategy = types.SimpleNamespace(num_replicas_in_sync=2)
    model = types.SimpleNamespace(distribute_strategy=strategy)
    StepRunner(model)
    with pytest.raises(ValueError, match="`jit_compile=True`.*2 replicas"):
        StepRunner(model, jit_compile=True)


def test_a_bad_label_stops_training(data):
    model = make_model(data)
    model.compile("sgd", loss="mse")
    label = np.full((1, 4), np.nan, "float32")
    ids = np.ones((1, 4), "int32")
    with pytest.raises(FloatingPointError, match="diverged"):
        StepRunner(model).run(({"user": ids, "item": ids}, label))


class Interrupted(Exception):
    pass


def test_an_interrupted_training_ends_the_same(data, tmp_path):
    recipe = TrainingRecipe(learning_rate=0.05, batch_size=64, max_epochs=8)
    whole = make_model(data)
    expected = fit_interactions(whole, data, recipe)
    path = tmp_path / "state.npz"

    def interrupt_at(number):
        def on_epoch_end(epoch, logs):
            if epoch == number:
                raise Interrupted

        return [keras.callbacks.LambdaCallback(on_epoch_end=on_epoch_end)]

    # The second session starts from other weights: they must not matter.
    for epoch, seed in ((2, 0), (4, 99)):
        with pytest.raises(Interrupted):
            fit_interactions(
                make_model(data, seed),
                data,
                recipe,
                checkpoint=path,
                checkpoint_seconds=0.0,
                callbacks=interrupt_at(epoch),
            )
    resumed = make_model(data, seed=7)
    found = fit_interactions(resumed, data, recipe, checkpoint=path)
    assert found.best_epoch == expected.best_epoch
    assert [e["mse"] for e in found.history] == [
        e["mse"] for e in expected.history
    ]
    for one, other in zip(
        whole.get_weights(), resumed.get_weights(), strict=True
    ):
        np.testing.assert_array_equal(one, other)


def test_a_checkpoint_of_another_run_is_refused(data, tmp_path):
    recipe = TrainingRecipe(learning_rate=0.05, batch_size=64, max_epochs=1)
    path = tmp_path / "state.npz"
    fit_interactions(make_model(data), data, recipe, checkpoint=path)
    other = MatrixFactorization.from_sizes(users=3, items=4, embedding_dim=4)
    longer = dataclasses.replace(recipe, max_epochs=2)
    for model, settings, seed, name in (
        (make_model(data), recipe, 1, "seed"),
        (make_model(data), longer, 0, "max_epochs"),
        (other, recipe, 0, "shapes"),
    ):
        with pytest.raises(ValueError, match=rf"state\.npz.*'{name}'"):
            fit_interactions(model, data, settings, seed=seed, checkpoint=path)


def test_metrics_may_be_numbers_of_numpy(data, tmp_path):
    model = make_model(data)
    model.compile("sgd", loss="mse")
    batches = ShuffledBatches(
        data.train.features, data.train.label, batch_size=64, seed=0
    )
    record = train(
        model,
        batches,
        data.validation,
        TrainingRecipe(learning_rate=0.05, max_epochs=1),
        objective=Objective(
            metrics=lambda found, label: {
                "mse": np.mean((found - label) ** 2, dtype=np.float32)
            }
        ),
        checkpoint=tmp_path / "state.npz",
    )
    assert Checkpoint(tmp_path / "state.npz").exists() and record.steps


def test_a_metric_to_maximise_decides_like_its_negative():
    recipe = TrainingRecipe(learning_rate=1.0, patience=0, threshold=0.1)
    plateau = Plateau.start(recipe)
    # 0.52 is the best yet, but no improvement of a tenth.
    found = [
        (plateau.observe(-auc), round(plateau.learning_rate, 6))
        for auc in (0.5, 0.52, 0.6, 0.4)
    ]
    assert found == [(True, 1.0), (True, 0.1), (True, 0.1), (False, 0.01)]


def test_the_epoch_is_kept_that_is_best_by_the_objective(data):
    def count(found, label):
        values.append(float(len(values)))
        return {"worse": -values[-1], "better": values[-1]}

    recipe = TrainingRecipe(learning_rate=0.01, batch_size=64, max_epochs=2)
    for monitor, larger, best in (
        ("better", True, 2),
        ("better", False, 0),
        ("worse", False, 2),
        ("worse", True, 0),
    ):
        values = []
        objective = Objective("mse", count, monitor, larger)
        record = fit_interactions(
            make_model(data), data, recipe, objective=objective
        )
        assert record.best_epoch == best


def test_clicks_are_learnt_from_logits(data):
    label = (data.train.label > 3).astype("float32")
    clicks = dataclasses.replace(
        data,
        **{
            part: dataclasses.replace(
                getattr(data, part),
                label=(getattr(data, part).label > 3).astype("float32"),
            )
            for part in ("train", "validation", "test")
        },
    )
    record = fit_interactions(
        make_model(data),
        clicks,
        TrainingRecipe(learning_rate=0.03, batch_size=64, max_epochs=4),
        objective=OBJECTIVES["click"],
    )
    rate = label.mean()
    always = -rate * np.log(rate) - (1 - rate) * np.log(1 - rate)
    assert record.best["logloss"] < min(always, record.history[0]["logloss"])
    assert 0.5 < record.best["auc"] < 1.0


def test_a_checkpoint_of_another_objective_is_refused(data, tmp_path):
    recipe = TrainingRecipe(learning_rate=0.05, max_epochs=1)
    path = tmp_path / "state.npz"
    fit_interactions(make_model(data), data, recipe, checkpoint=path)
    # Written before there were other objectives than squared error.
    file = Checkpoint(path)
    arrays, values = file.load()
    del values["origin"]["monitor"]
    file.save(arrays, values)
    fit_interactions(make_model(data), data, recipe, checkpoint=path)
    with pytest.raises(ValueError, match=r"differs in \['monitor'\]"):
        fit_interactions(
            make_model(data),
            data,
            recipe,
            objective=Objective(monitor="mae"),
            checkpoint=path,
        )


def test_an_interrupted_training_goes_on_with_its_dropout(data, tmp_path):
    def make():
        keras.utils.set_random_seed(0)
        inputs = {
            name: keras.Input((), dtype="int32", name=name)
            for name in ("user", "item")
        }
        rows = [
            keras.layers.Embedding(len(data.vocabularies[name]), 4)(ids)
            for name, ids in inputs.items()
        ]
        hidden = keras.layers.Dropout(0.5)(keras.layers.Concatenate()(rows))
        return keras.Model(inputs, keras.layers.Dense(1)(hidden))

    recipe = TrainingRecipe(learning_rate=0.05, batch_size=64, max_epochs=4)
    expected = fit_interactions(make(), data, recipe)

    def interrupt(epoch, logs):
        if epoch == 3:
            raise Interrupted

    told = [keras.callbacks.LambdaCallback(on_epoch_end=interrupt)]
    arguments = {"checkpoint": tmp_path / "state.npz", "checkpoint_seconds": 0}
    with pytest.raises(Interrupted):
        fit_interactions(make(), data, recipe, callbacks=told, **arguments)
    found = fit_interactions(make(), data, recipe, **arguments)
    assert [e["mse"] for e in found.history] == [
        e["mse"] for e in expected.history
    ]


def test_the_best_state_is_kept_and_the_start_counts(data):
    model = make_model(data)
    good = TrainingRecipe(learning_rate=0.05, batch_size=64, max_epochs=6)
    record = fit_interactions(model, data, good)
    assert record.best["mse"] == min(e["mse"] for e in record.history)
    before = model.get_weights()
    # A rate this large only hurts.
    wild = TrainingRecipe(learning_rate=3.0, batch_size=64, max_epochs=2)
    record = fit_interactions(model, data, wild)
    assert record.best_epoch == 0
    for one, other in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_the_start_may_be_barred_from_being_the_best(data, tmp_path):
    wild = TrainingRecipe(learning_rate=3.0, batch_size=64, max_epochs=3)

    def run(epochs, checkpoint):
        model = make_model(data)
        model.compile(SparseAdam(), "mse")
        model.optimizer.build(model.trainable_variables)
        batches = ShuffledBatches(
            data.train.features, data.train.label, batch_size=64, seed=0
        )
        return train(
            model,
            batches,
            data.validation,
            dataclasses.replace(wild, max_epochs=epochs),
            checkpoint=checkpoint,
            checkpoint_seconds=0.0,
            keep_start=False,
        )

    record = run(3, tmp_path / "run.npz")
    values = [entry["mse"] for entry in record.history]
    # Every epoch is worse than the start, and the best of them is kept.
    assert values[0] < min(values[1:])
    assert record.best_epoch == 1 + int(np.argmin(values[1:]))
    assert run(3, tmp_path / "run.npz").best_epoch == record.best_epoch
    # There is nothing else to keep where no epoch follows.
    assert run(0, None).best_epoch == 0


def test_a_checkpoint_is_whole_or_the_one_before(tmp_path, monkeypatch):
    checkpoint = Checkpoint(tmp_path / "state.npz")
    checkpoint.save({"w": np.arange(3)}, {"epoch": 1})

    def fail(*_):
        raise OSError("disk full")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="disk full"):
        checkpoint.save({"w": np.zeros(3)}, {"epoch": 2})
    arrays, values = checkpoint.load()
    assert values == {"epoch": 1}
    np.testing.assert_array_equal(arrays["w"], np.arange(3))


_WRITER = """
import sys
import numpy as np
from keras_emb.training import Checkpoint

checkpoint = Checkpoint(sys.argv[1])
for step in range(60):
    checkpoint.save({"w": np.full(200_000, step)}, {"step": step})
    arrays, values = checkpoint.load()
    assert (arrays["w"] == values["step"]).all()
"""


def test_two_processes_may_save_to_one_file(tmp_path, request):
    writers = [
        subprocess.Popen(
            [sys.executable, "-c", _WRITER, str(tmp_path / "state.npz")],
            cwd=request.config.rootpath,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for writer in writers:
        _, errors = writer.communicate()
        assert writer.returncode == 0, errors[-2000:]
    assert [path.name for path in tmp_path.iterdir()] == ["state.npz"]


@pytest.mark.parametrize("damage", ["cut", "other", "newer"])
def test_a_damaged_checkpoint_is_named(tmp_path, damage):
    path = tmp_path / "state.npz"
    Checkpoint(path).save({"w": np.zeros(100)}, {})
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:200])
    elif damage == "other":
        np.savez(path, w=np.zeros(3))
    else:
        text = json.dumps({"format": 99, "values": {}})
        np.savez(path, __values__=np.frombuffer(text.encode(), np.uint8))
    with pytest.raises(ValueError, match=r"state\.npz"):
        Checkpoint(path).load()


@pytest.mark.parametrize(
    "wrong",
    [
        {"learning_rate": 0},
        {"learning_rate": 1e-6},
        {"factor": 1.0},
        {"batch_size": 0},
    ],
)
def test_recipes_out_of_range_are_refused(wrong):
    with pytest.raises(ValueError, match=next(iter(wrong))):
        TrainingRecipe(**wrong)
