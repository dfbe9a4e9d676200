"""Yelp2018: reader of the files that NGCF and LightGCN were released with."""

from keras_emb.datasets.yelp2018.files import (
    find_yelp2018,
    parse_yelp2018,
    read_yelp2018,
)

__all__ = ["find_yelp2018", "parse_yelp2018", "read_yelp2018"]
