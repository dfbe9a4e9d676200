import csv

import keras
import numpy as np
import pytest

from keras_emb.datasets import Interactions, synthetic
from keras_emb.layers import BipartiteGraph
from keras_emb.training import (
    PairwiseRecipe,
    PairwiseTrainer,
    StreamBatches,
    TrainingRecipe,
    callback_list,
    fit_interactions,
    train_on_stream,
)
from keras_emb.zoo import MatrixFactorization


@pytest.fixture(scope="module")
def data():
    planted = synthetic(num_users=40, num_items=30, num_ratings=600)
    return Interactions.from_ratings(planted.ratings, "random")


def make(data):
    keras.utils.set_random_seed(0)
    return MatrixFactorization.from_sizes(
        users=len(data.vocabularies["user"]),
        items=len(data.vocabularies["item"]),
        embedding_dim=4,
    )


def ratings(data, callbacks, **options):
    recipe = TrainingRecipe(learning_rate=0.05, batch_size=64, max_epochs=5)
    model = make(data)
    record = fit_interactions(
        model, data, recipe, callbacks=callbacks, **options
    )
    return record.history[1:], model


def pairs(data, callbacks, **options):
    recipe = PairwiseRecipe(batch_size=64, max_steps=10, validate_every=2)
    model = make(data)
    trainer = PairwiseTrainer(
        model, BipartiteGraph.from_interactions(data), recipe
    )
    record = trainer.fit(0, callbacks=callbacks, **options)
    return record.history[1:], model


class Told(keras.callbacks.Callback):
    """Writes down what it is told, and stops in time."""

    def __init__(self, stop_at=None):
        super().__init__()
        self.news = []
        self.stop_at = stop_at

    def on_train_begin(self, logs=None):
        self.news.append("begin")

    def on_epoch_begin(self, epoch, logs=None):
        self.news.append(("epoch", epoch))

    def on_epoch_end(self, epoch, logs=None):
        self.news.append(epoch)
        assert np.isfinite(list(logs.values())).all()
        if epoch == self.stop_at:
            self.model.stop_training = True

    def on_train_end(self, logs=None):
        self.news.append("end")


@pytest.mark.parametrize("run", [ratings, pairs])
def test_every_epoch_that_trains_is_told(data, run):
    told = Told()
    assert len(run(data, [told])[0]) == 5
    expected = [x for n in range(5) for x in (("epoch", n), n)]
    assert told.news == ["begin", *expected, "end"]


@pytest.mark.parametrize("run", [ratings, pairs])
def test_a_callback_may_end_the_training(data, run, tmp_path):
    told = Told(stop_at=2)
    kept = {"checkpoint": tmp_path / "state.npz"}
    history, model = run(data, [told], **kept)
    assert len(history) == 3
    assert told.news[-2:] == [2, "end"]
    # What was ended is over; another run is a new one.
    again, same = run(data, [], **kept)
    assert again == history
    for old, new in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert len(run(data, [])[0]) == 5


@pytest.mark.parametrize("run", [ratings, pairs])
def test_the_state_kept_is_the_one_the_model_is_left_in(data, run, tmp_path):
    class Spoil(keras.callbacks.Callback):
        def on_train_end(self, logs=None):
            for variable in self.model.trainable_variables:
                variable.assign(variable * 0)

    kept = {"checkpoint": tmp_path / "state.npz"}
    _, model = run(data, [Spoil()], **kept)
    _, same = run(data, [], **kept)
    for old, new in zip(model.get_weights(), same.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


@pytest.mark.parametrize("run", [ratings, pairs])
def test_the_callbacks_of_keras_understand_what_they_are_told(
    data, run, tmp_path
):
    logger = keras.callbacks.CSVLogger(tmp_path / "log.csv")
    early = keras.callbacks.EarlyStopping("step", mode="min", patience=2)
    # Steps never fall, so that patience ends after the third.
    history, _ = run(data, [logger, early])
    with open(tmp_path / "log.csv") as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [float(row["loss"]) for row in rows] == [e["loss"] for e in history]


def test_a_callback_may_end_a_stream(data):
    class Stop(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            self.model.stop_training = batch >= 3

    model = make(data)
    model.compile("sgd", "mse")
    train = data.train
    batches = StreamBatches(train.features, train.label, batch_size=20)
    record = train_on_stream(
        model, batches, steps_per_call=2, callbacks=[Stop()]
    )
    assert record.steps == 5
    assert len(record.predictions) == 100


@pytest.mark.parametrize(
    "callback",
    [
        keras.callbacks.LearningRateScheduler(lambda epoch: 1e-6),
        keras.callbacks.ReduceLROnPlateau(),
    ],
)
def test_rates_are_left_to_the_recipe(data, callback):
    with pytest.raises(ValueError, match="learning rate to the recipe.*Rece"):
        ratings(data, [callback])


def test_what_is_no_callback_is_refused(data):
    with pytest.raises(ValueError, match="`callbacks` must.*Received: <func"):
        callback_list([ratings], make(data))
