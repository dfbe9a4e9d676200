import numpy as np
import pytest

from keras_emb.evaluation import click_metrics


def test_against_the_definitions():
    random = np.random.default_rng(0)
    # Rounded, so that there are ties within and across the classes.
    logits = random.normal(size=200).round(1)
    labels = (random.random(200) < 0.3).astype("float32")
    chance = 1 / (1 + np.exp(-logits))
    loss = -np.where(labels == 1, np.log(chance), np.log(1 - chance)).mean()
    pairs = logits[labels == 1][:, None] - logits[labels == 0][None, :]
    area = np.where(pairs > 0, 1.0, np.where(pairs == 0, 0.5, 0.0)).mean()
    found = click_metrics(logits, labels)
    np.testing.assert_allclose(found["logloss"], loss, rtol=1e-12)
    np.testing.assert_allclose(found["auc"], area, rtol=1e-12)


def test_certain_answers_have_a_finite_loss():
    found = click_metrics([1000.0, -1000.0, 1000.0], [1, 0, 0])
    np.testing.assert_allclose(found["logloss"], 1000 / 3)
    assert found["auc"] == 0.75


@pytest.mark.parametrize(
    ("logits", "labels", "words"),
    [
        ([0.0, 1.0], [1.0], "same shape"),
        ([[0.0, 1.0]], [[1.0, 0.0]], "same shape"),
        ([], [], "0 ones and 0 zeros among 0"),
        ([0.0, 1.0], [1.0, 1.0], "hold both.*2 ones and 0 zeros"),
        ([0.0, 1.0], [1.0, 0.5], "0 or 1.*1 ones and 0 zeros among 2"),
    ],
)
def test_what_has_no_answer_is_refused(logits, labels, words):
    with pytest.raises(ValueError, match=words):
        click_metrics(logits, labels)
