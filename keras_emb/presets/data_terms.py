"""What the data of a preset ask of whoever uses it."""

import dataclasses

__all__ = ["DataTerms", "data_terms"]


@dataclasses.dataclass(frozen=True)
class DataTerms:
    """Terms of a data set, in a few sentences.

    Args:
        title: What it is called.
        terms: What its licence says, and what of it a preset holds.
        citation: What to cite.
    """

    title: str
    terms: str
    citation: str


_MOVIELENS = DataTerms(
    title="MovieLens, GroupLens Research, University of Minnesota",
    terms=(
        "The data may be used for research; they may not be passed on without "
        "permission, nor used for commercial or revenue-bearing purposes "
        "without permission of a faculty member of the GroupLens Research "
        "Project, and their use implies no endorsement by the University of "
        "Minnesota or the GroupLens Research Group. Neither of them can "
        "guarantee the correctness of the data or their suitability for any "
        "purpose. This preset holds no rating and no pair of a user and an "
        "item: of the data themselves, only the anonymous numbers of users "
        "and movies are in it, which say whose vector is whose."
    ),
    citation=(
        "F. Maxwell Harper and Joseph A. Konstan. 2015. The MovieLens "
        "Datasets: History and Context. ACM Transactions on Interactive "
        "Intelligent Systems (TiiS) 5, 4, Article 19 (December 2015), 19 "
        "pages. https://doi.org/10.1145/2827872"
    ),
)

_SYNTHETIC = DataTerms(
    title="Planted ratings of keras_emb",
    terms="Drawn at random by this library; anybody may use them.",
    citation="None needed.",
)


def data_terms(dataset: str) -> DataTerms | None:
    """The terms of a data set that `keras_emb.datasets.load` knows.

    >>> data_terms("movielens_1m").title.split(",")[0]
    'MovieLens'

    Args:
        dataset: Name of the data set.

    Returns:
        Its terms; `None` where nothing is known of them.
    """
    if dataset.startswith("movielens"):
        return _MOVIELENS
    return _SYNTHETIC if dataset == "synthetic" else None
