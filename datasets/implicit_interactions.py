"""Implicit feedback with held-out items to rank."""

from __future__ import annotations

import dataclasses
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from keras_emb.datasets.absent_items import AbsentItems
from keras_emb.datasets.candidates import Candidates
from keras_emb.datasets.examples import Examples
from keras_emb.datasets.interactions import Interactions
from keras_emb.datasets.movielens.ncf_split import NcfSplit
from keras_emb.datasets.ratings import Ratings
from keras_emb.datasets.row_split import RowSplit
from keras_emb.datasets.splits import MIN_USER_ROWS, leave_one_out
from keras_emb.datasets.vocabulary import Vocabulary

__all__ = ["ImplicitInteractions"]


@dataclasses.dataclass(frozen=True, eq=False)
class ImplicitInteractions(Interactions):
    """Interactions whose every row is a positive, with lists to rank.

    >>> from keras_emb.datasets import synthetic
    >>> planted = synthetic(num_users=30, num_items=40, num_ratings=500)
    >>> data = ImplicitInteractions.leave_one_out(planted.ratings)
    >>> data.candidates["test"].others.shape[1], float(data.train.label.min())
    (99, 1.0)

    Args:
        candidates: For `"validation"` and `"test"`, one held-out item of each
            user and the items it is ranked among.

    The other arguments are those of `Interactions`.
    """

    candidates: dict[str, Candidates] = dataclasses.field(default_factory=dict)

    @classmethod
    def leave_one_out(
        cls,
        ratings: Ratings,
        *,
        held_out: NcfSplit | None = None,
        validation_share: float = 0.1,
        num_candidates: int = 99,
        unknown_time: str = "refuse",
        seed: int = 0,
    ) -> ImplicitInteractions:
        """Holds out each user's latest item, and of the rest the end.

        The protocol of Neural Collaborative Filtering (He et al., WWW 2017)
        with the validation part of DNIS (arXiv 2006.04466): the last tenth of
        what is left of each user's history. A rating of any height is a
        positive. The validation list ranks the last item of that part; its
        other candidates are items the user has in neither training nor
        validation, so nothing of the test part is known to it.

        Args:
            ratings: Ratings to split; rows of one time count in random order.
            held_out: The test items and their candidates; by default the
                latest rows, and candidates the user has not rated.
            validation_share: Share of a user's remaining rows to validate
                with; at least one of two.
            num_candidates: Items that a held-out item is ranked among.
            unknown_time: See `splits.leave_one_out`; without effect where
                `held_out` says what is held out.
            seed: Seed of the candidates and of the order of equal times.

        Returns:
            The split data.

        Raises:
            ValueError: If `validation_share` or `num_candidates` is out of
                range, the ratings do not hold what is held out, or as
                `splits.leave_one_out` does.
        """
        if not 0 < validation_share < 1:
            raise ValueError(
                "`validation_share` must lie between 0 and 1. "
                f"Received: validation_share={validation_share}"
            )
        if num_candidates < 1:
            raise ValueError(
                "`num_candidates` must be at least 1. "
                f"Received: num_candidates={num_candidates}"
            )
        if held_out is None:
            latest = leave_one_out(ratings, unknown_time=unknown_time)
            test, dropped = latest.test, latest.dropped
            kept = np.concatenate([latest.train, latest.validation])
        else:
            test, dropped = _rows_of(ratings, held_out), {}
            kept = np.setdiff1d(np.arange(len(ratings)), test)
        train, validation, last = _history_ends(
            ratings, np.sort(kept), test, validation_share, seed
        )
        ones = np.ones(len(ratings), np.float32)
        data = Interactions.from_parts(
            dataclasses.replace(ratings, rating=ones),
            RowSplit(train, validation, test, dropped),
            {
                "name": "implicit_leave_one_out",
                "held_out": "latest" if held_out is None else "ncf",
                "validation_share": validation_share,
                "num_candidates": num_candidates,
                "seed": seed,
            },
        )
        random = np.random.default_rng([seed, 2])
        lists = {
            "validation": _sampled(
                data, ratings, last, ["validation"], num_candidates, random
            ),
            "test": _sampled(
                data,
                ratings,
                test,
                ["validation", "test"],
                num_candidates,
                random,
            )
            if held_out is None
            else Candidates.from_ids(
                held_out.user,
                held_out.item,
                held_out.negatives,
                data.vocabularies,
            ),
        }
        fields = dataclasses.fields(Interactions)
        return cls(
            **{field.name: getattr(data, field.name) for field in fields},
            candidates=lists,
        )

    def with_vocabularies(self, vocabularies: dict[str, Vocabulary]) -> Self:
        """See `Interactions`; the lists to rank move along."""
        maps = self._row_maps(vocabularies)
        lists = {
            part: Candidates(
                maps["user"][lists.user],
                maps["item"][lists.item],
                maps["item"][lists.others],
            )
            for part, lists in self.candidates.items()
        }
        data = super().with_vocabularies(vocabularies)
        return dataclasses.replace(data, candidates=lists)

    def absent_items(self, *parts: str) -> AbsentItems:
        """What each user has in none of the parts.

        Args:
            *parts: Names of parts.
        """
        pairs: list[Examples] = [getattr(self, part) for part in parts]
        return _absent(self, pairs)


def _absent(data: Interactions, parts: list[Examples]) -> AbsentItems:
    return AbsentItems(
        np.concatenate([part.features["user"] for part in parts]),
        np.concatenate([part.features["item"] for part in parts]),
        num_users=len(data.vocabularies["user"]),
        num_items=len(data.vocabularies["item"]),
    )


def _rows_of(ratings: Ratings, held_out: NcfSplit) -> npt.NDArray[np.int64]:
    """The rows of the held-out pairs."""
    item_ids = np.unique(ratings.item)
    user_ids = np.unique(ratings.user)

    def keys(user: Any, item: Any) -> npt.NDArray[np.int64]:
        # Ids that the ratings do not hold get the place of a neighbour.
        return np.searchsorted(user_ids, user) * len(
            item_ids
        ) + np.searchsorted(item_ids, item)

    own = keys(ratings.user, ratings.item)
    order = np.argsort(own, kind="stable")
    places = np.searchsorted(own[order], keys(held_out.user, held_out.item))
    rows = order[np.minimum(places, len(order) - 1)]
    same = (ratings.user[rows] == held_out.user) & (
        ratings.item[rows] == held_out.item
    )
    if not same.all():
        missing = np.flatnonzero(~same)[0]
        raise ValueError(
            "`held_out` must hold pairs of the ratings. Received: user "
            f"{held_out.user[missing]} with item {held_out.item[missing]}"
        )
    return np.asarray(rows, dtype=np.int64)


def _history_ends(
    ratings: Ratings,
    rows: npt.NDArray[np.int64],
    test: npt.NDArray[np.int64],
    share: float,
    seed: int,
) -> tuple[npt.NDArray[np.int64], ...]:
    """Each user's history, its end, and the last row of the end."""
    time = np.zeros(len(rows)) if ratings.time is None else ratings.time[rows]
    chance = np.random.default_rng([seed, 1]).permutation(len(rows))
    users, codes, counts = np.unique(
        ratings.user[rows], return_inverse=True, return_counts=True
    )
    order = np.lexsort((chance, time, codes))
    from_end = np.empty(len(rows), np.int64)
    ends = np.cumsum(counts)[codes[order]]
    from_end[order] = ends - 1 - np.arange(len(rows))
    wanted = np.maximum(np.rint(share * counts), 1)
    in_all = counts + np.isin(users, ratings.user[test])
    wanted[in_all < MIN_USER_ROWS] = 0
    late = from_end < wanted[codes]
    return rows[~late], rows[late], rows[late & (from_end == 0)]


def _sampled(
    data: Interactions,
    ratings: Ratings,
    rows: npt.NDArray[np.int64],
    later: list[str],
    number: int,
    random: np.random.Generator,
) -> Candidates:
    """Lists of held-out rows among items in no part up to theirs."""
    users = data.vocabularies["user"].rows(ratings.user[rows])
    items = data.vocabularies["item"].rows(ratings.item[rows])
    absent = _absent(data, [data.train, *(getattr(data, p) for p in later)])
    known = users > 0
    return Candidates(
        users[known],
        items[known],
        absent.sample(users[known], number, random),
    )
