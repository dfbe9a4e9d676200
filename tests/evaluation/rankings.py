"""Small data, models and slow metrics to rank by."""

import math

import keras
import numpy as np
import tensorflow as tf

from keras_emb.datasets import Examples, Interactions, Vocabulary

__all__ = ["CodeModel", "brute_force", "make_interactions", "pair_model"]


def make_interactions(user_rows, item_rows, **parts):
    """Interactions of the given (user, item) rows; parts left out are empty."""

    def examples(pairs):
        users, items = zip(*pairs, strict=True) if pairs else ((), ())
        return Examples(
            {
                "user": np.array(users, np.int32),
                "item": np.array(items, np.int32),
            },
            label=np.ones(len(pairs)),
        )

    return Interactions(
        **{
            name: examples(parts.get(name, []))
            for name in ("train", "validation", "test")
        },
        vocabularies={
            "user": Vocabulary(np.arange(user_rows - 1)),
            "item": Vocabulary(np.arange(item_rows - 1)),
        },
        split={"name": "by hand"},
    )


class CodeModel:
    """Dot products of two tables; counts how often it is traced."""

    def __init__(self, user_codes, item_codes):
        self.user_codes = tf.Variable(user_codes, dtype=tf.float32)
        self.item_codes = tf.Variable(item_codes, dtype=tf.float32)
        self.traces = {"encode": 0, "score_codes": 0}

    @classmethod
    def of_scores(cls, scores):
        """A model with the given scores, `(user_rows, item_rows)`."""
        return cls(np.asarray(scores), np.eye(len(scores[0])))

    def encode(self):
        self.traces["encode"] += 1
        return self.user_codes.read_value(), self.item_codes.read_value()

    def score_codes(self, user_codes, item_codes):
        self.traces["score_codes"] += 1
        return tf.matmul(user_codes, item_codes, transpose_b=True)


def pair_model(model):
    """The Keras model that scores pairs as a `CodeModel` does."""
    ids = {
        name: keras.Input((), name=name, dtype="int32")
        for name in ("user", "item")
    }
    codes = []
    for name, table in (("user", model.user_codes), ("item", model.item_codes)):
        layer = keras.layers.Embedding(*table.shape)
        codes.append(layer(ids[name]))
        layer.set_weights([table.numpy()])
    return keras.Model(ids, keras.layers.Dot(axes=1)(codes))


def brute_force(scores, interactions, part, cutoffs):
    """The metrics of every user, one pair at a time."""

    def items(name, user):
        features = getattr(interactions, name).features
        return [
            int(item)
            for row, item in zip(
                features["user"], features["item"], strict=True
            )
            if row == user
        ]

    user_rows, item_rows = np.shape(scores)
    results = {}
    for user in range(1, user_rows):
        seen = set(items("train", user))
        if part == "test":
            seen |= set(items("validation", user))
        held_out = items(part, user)
        positives = {item for item in held_out if item} - seen
        total = len(positives) + held_out.count(0)
        ranked = sorted(
            set(range(1, item_rows)) - seen,
            key=lambda item, user=user: (-scores[user][item], item),
        )
        for cutoff in cutoffs:
            for name, value in _one(ranked[:cutoff], positives, total, cutoff):
                key = f"{name}@{cutoff}"
                results.setdefault(key, np.zeros(user_rows))[user] = value
    return results


def _one(ranked, positives, total, cutoff):
    if not total:
        return
    places = [
        place for place, item in enumerate(ranked, 1) if item in positives
    ]
    reachable = min(total, cutoff)
    ideal = sum(1 / math.log2(place + 1) for place in range(1, reachable + 1))
    precisions = [found / place for found, place in enumerate(places, 1)]
    yield "recall", len(places) / total
    yield "ndcg", sum(1 / math.log2(place + 1) for place in places) / ideal
    yield "hit_rate", float(bool(places))
    yield "mrr", 1 / places[0] if places else 0.0
    yield "map", sum(precisions) / reachable
