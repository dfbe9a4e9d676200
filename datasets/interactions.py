"""A data set split, mapped to table rows and ready for every later step."""

from __future__ import annotations

import dataclasses
import functools
import os
from collections.abc import Sequence
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.blocks import blocks
from keras_emb.datasets.click_rows import click_parts, random_parts
from keras_emb.datasets.clicks import Clicks
from keras_emb.datasets.examples import Examples
from keras_emb.datasets.popularity import count_popularity
from keras_emb.datasets.ratings import Ratings
from keras_emb.datasets.row_split import RowSplit
from keras_emb.datasets.splits import split_rows
from keras_emb.datasets.vocabulary import Vocabulary

__all__ = ["Interactions"]


@dataclasses.dataclass(frozen=True, eq=False)
class Interactions:
    """Train, validation and test examples with their vocabularies.

    Example:

    >>> ratings = Ratings(
    ...     user=[1, 1, 2, 2, 2, 3, 3, 3, 1, 2],
    ...     item=[5, 6, 5, 7, 6, 5, 6, 7, 7, 8],
    ...     rating=[4, 3, 5, 1, 2, 4, 4, 2, 5, 3],
    ... )
    >>> interactions = Interactions.from_ratings(ratings, "random", seed=1)
    >>> len(interactions.train), len(interactions.test)
    (7, 1)

    Args:
        train: Examples to learn from.
        validation: Examples to choose by.
        test: Examples to report on.
        vocabularies: Vocabulary of each feature, made from the training part.
        split: Name and arguments of the split.
        dropped: Rows dropped on the way, by reason.

    Raises:
        ValueError: If a part's features of rows are not those of the
            vocabularies, or a row lies outside of its vocabulary. Features of
            values (float32) have no vocabulary.
    """

    train: Examples
    validation: Examples
    test: Examples
    vocabularies: dict[str, Vocabulary]
    split: dict[str, Any]
    dropped: dict[str, int] = dataclasses.field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("train", "validation", "test"):
            features = getattr(self, name).features
            rows = {f for f, c in features.items() if c.dtype.kind != "f"}
            if rows != set(self.vocabularies):
                raise ValueError(
                    f"`{name}` must have the features of `vocabularies` "
                    f"({sorted(self.vocabularies)}). "
                    f"Received: {sorted(rows)}"
                )
            for feature in rows:
                size = len(self.vocabularies[feature])
                for block in blocks(features[feature]):
                    _check_rows(f"{name}.features[{feature!r}]", block, size)

    @classmethod
    def from_ratings(
        cls,
        ratings: Ratings,
        split: str = "random",
        *,
        seed: int = 0,
        **split_args: Any,
    ) -> Interactions:
        """Splits raw ratings and maps their ids to table rows.

        Vocabularies hold the ids of the training part, the most popular first;
        ids seen later only are unknown, row 0.

        Args:
            ratings: Raw ratings.
            split: Name of the split, see `keras_emb.datasets.splits`.
            seed: Seed of the split.
            **split_args: Arguments of the split.

        Returns:
            Interactions with the features `"user"` and `"item"`.

        Raises:
            ValueError: As the split does.
        """
        parts, description = split_rows(ratings, split, seed=seed, **split_args)
        return Interactions.from_parts(ratings, parts, description)

    @staticmethod
    def from_parts(
        ratings: Ratings, parts: RowSplit, description: dict[str, Any]
    ) -> Interactions:
        """Maps the raw ids of ratings that are split already to table rows.

        Args:
            ratings: Raw ratings.
            parts: Their rows in each part.
            description: Name and arguments of the split.

        Returns:
            Interactions with the features `"user"` and `"item"`.
        """
        vocabularies = {
            "user": Vocabulary.by_popularity(ratings.user[parts.train]),
            "item": Vocabulary.by_popularity(ratings.item[parts.train]),
        }
        train, validation, test = (
            _examples(ratings, rows, vocabularies)
            for rows in (parts.train, parts.validation, parts.test)
        )
        return Interactions(
            train=train,
            validation=validation,
            test=test,
            vocabularies=vocabularies,
            split=description,
            dropped={**ratings.dropped, **parts.dropped},
        )

    def with_vocabularies(self, vocabularies: dict[str, Vocabulary]) -> Self:
        """The same data with other rows for the same raw ids.

        Args:
            vocabularies: New vocabulary of each feature; ids that it does not
                hold become unknown, row 0.
        """
        maps = self._row_maps(vocabularies)

        def moved(part: Examples) -> Examples:
            features = {
                feature: maps[feature][rows] if feature in maps else rows
                for feature, rows in part.features.items()
            }
            return dataclasses.replace(part, features=features)

        return dataclasses.replace(
            self,
            train=moved(self.train),
            validation=moved(self.validation),
            test=moved(self.test),
            vocabularies=dict(vocabularies),
        )

    def _row_maps(
        self, vocabularies: dict[str, Vocabulary]
    ) -> dict[str, npt.NDArray[np.int32]]:
        """The row that other vocabularies have for each row of these.

        Args:
            vocabularies: The others, by feature.
        """
        maps = {}
        for feature, own in self.vocabularies.items():
            maps[feature] = np.zeros(len(own), np.int32)
            maps[feature][1:] = vocabularies[feature].rows(own.raw_ids)
        return maps

    @classmethod
    def from_clicks(
        cls,
        clicks: Clicks,
        *,
        shares: Sequence[float] = (0.8, 0.1, 0.1),
        seed: int = 0,
        min_count: int = 1,
        folder: str | os.PathLike[str] | None = None,
    ) -> Interactions:
        """Splits clicks at random and ranks the ids of every field.

        Vocabularies hold the ids of the training part, the most frequent
        first; an id that comes later only, or too seldom in training, is the
        unknown one of its field, row 0.

        Args:
            clicks: Raw clicks.
            shares: Shares of train, validation and test.
            seed: Seed of the split.
            min_count: Training examples that an id must have to get a row of
                its own.
            folder: Where the columns are written, for data larger than
                memory; in memory if `None`.

        Returns:
            Interactions with a feature a field, and one of its values,
            `<field>_value`, where it has some.

        Raises:
            ValueError: For invalid shares, too few rows for a wanted part, or
                a field without an id left.
        """
        parts = random_parts(len(clicks), shares, seed)
        (train, validation, test), vocabularies = click_parts(
            clicks, parts, min_count, folder
        )
        return cls(
            train=train,
            validation=validation,
            test=test,
            vocabularies=vocabularies,
            split={
                "name": "random",
                "shares": tuple(shares),
                "seed": seed,
                "min_count": min_count,
            },
        )

    @functools.cached_property
    def popularity(self) -> dict[str, npt.NDArray[np.int64]]:
        """Occurrences of each table row in the training part, by feature."""
        return {
            feature: count_popularity(
                self.train.features[feature], len(vocabulary)
            )
            for feature, vocabulary in self.vocabularies.items()
        }


def _check_rows(name: str, rows: npt.NDArray[np.int32], size: int) -> None:
    if rows.size and not 0 <= rows.min() <= rows.max() < size:
        raise ValueError(
            f"`{name}` must lie in 0..{size - 1}. Received: rows in "
            f"{rows.min()}..{rows.max()}"
        )


def _examples(
    ratings: Ratings,
    rows: npt.NDArray[np.int64],
    vocabularies: dict[str, Vocabulary],
) -> Examples:
    return Examples(
        features={
            "user": vocabularies["user"].rows(ratings.user[rows]),
            "item": vocabularies["item"].rows(ratings.item[rows]),
        },
        label=ratings.rating[rows],
        time=None if ratings.time is None else ratings.time[rows],
    )
