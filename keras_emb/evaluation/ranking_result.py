"""How well a model ranks the items of all users."""

import dataclasses
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["RankingResult"]


@dataclasses.dataclass(frozen=True, eq=False)
class RankingResult:
    """Ranking metrics of the whole, and of every user.

    >>> import numpy as np
    >>> per_user = {"recall@5": np.array([0, 0.4, 0.6])}
    >>> RankingResult({"recall@5": 0.5}, per_user).metrics["recall@5"]
    0.5

    Args:
        metrics: Means over the users with at least one positive, by name such
            as `"ndcg@20"`.
        per_user: The same metrics of every row of the user table, shape
            `(user_rows,)`; 0 for row 0 and for users without positives.
    """

    metrics: Mapping[str, float]
    per_user: Mapping[str, npt.NDArray[np.float64]]
