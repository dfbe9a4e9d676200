"""Labels of the tasks that are made of ratings."""

import numpy as np
import numpy.typing as npt

__all__ = ["task_labels"]

_LIKED_ABOVE = 3.5
_NUM_CLASSES = 5


def task_labels(rating: npt.ArrayLike, task: str) -> npt.NDArray[np.float32]:
    """Turns star ratings into the labels of a task.

    As in the data of AutoEmb and ESAPN (SIGIR 2020): binary labels are
    ratings above 3.5; the five classes are `floor(rating - 0.5)`.

    >>> task_labels([0.5, 3.5, 4.0, 5.0], "binary").tolist()
    [0.0, 0.0, 1.0, 1.0]
    >>> task_labels([0.5, 1.0, 1.5, 5.0], "multiclass").tolist()
    [0.0, 0.0, 1.0, 4.0]

    Args:
        rating: Stars from 0.5 to 5, `(n,)`.
        task: `"binary"`, `"multiclass"` or `"rating"`.

    Returns:
        float32 array of shape `(n,)`.

    Raises:
        ValueError: If `task` is unknown, or a rating has no class.
    """
    stars = np.asarray(rating, dtype=np.float32)
    if task == "rating":
        return stars
    if task == "binary":
        return (stars > _LIKED_ABOVE).astype(np.float32)
    if task != "multiclass":
        raise ValueError(
            "`task` must be 'binary', 'multiclass' or 'rating'. "
            f"Received: task={task!r}"
        )
    classes = np.floor(stars - 0.5)
    if classes.size and not 0 <= classes.min() <= classes.max() < _NUM_CLASSES:
        raise ValueError(
            "`rating` must lie in 0.5..5 for the five-class task. Received: "
            f"ratings from {stars.min()} to {stars.max()}"
        )
    return classes.astype(np.float32)
