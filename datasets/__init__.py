"""Data sets: readers, splits, vocabularies and planted data."""

from keras_emb.datasets import splits
from keras_emb.datasets.absent_items import AbsentItems
from keras_emb.datasets.avazu import read_avazu
from keras_emb.datasets.candidates import Candidates
from keras_emb.datasets.clicks import Clicks
from keras_emb.datasets.criteo import read_criteo
from keras_emb.datasets.examples import Examples
from keras_emb.datasets.filters import (
    clean,
    drop_duplicates,
    drop_rare_items,
)
from keras_emb.datasets.growing_vocabulary import GrowingVocabulary
from keras_emb.datasets.implicit_interactions import ImplicitInteractions
from keras_emb.datasets.interaction_stream import InteractionStream
from keras_emb.datasets.interactions import Interactions
from keras_emb.datasets.load import available, load, load_ratings, load_stream
from keras_emb.datasets.load_implicit import load_implicit
from keras_emb.datasets.movielens import read_ratings
from keras_emb.datasets.popularity import count_popularity
from keras_emb.datasets.ratings import Ratings
from keras_emb.datasets.row_split import RowSplit
from keras_emb.datasets.synthetic import PlantedRatings, synthetic
from keras_emb.datasets.task_labels import task_labels
from keras_emb.datasets.vocabulary import Vocabulary
from keras_emb.datasets.yelp2018 import read_yelp2018

__all__ = [
    "AbsentItems",
    "Candidates",
    "Clicks",
    "Examples",
    "GrowingVocabulary",
    "ImplicitInteractions",
    "InteractionStream",
    "Interactions",
    "PlantedRatings",
    "Ratings",
    "RowSplit",
    "Vocabulary",
    "available",
    "clean",
    "count_popularity",
    "drop_duplicates",
    "drop_rare_items",
    "load",
    "load_implicit",
    "load_ratings",
    "load_stream",
    "read_avazu",
    "read_criteo",
    "read_ratings",
    "read_yelp2018",
    "splits",
    "synthetic",
    "task_labels",
]
