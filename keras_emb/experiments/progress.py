"""Says how far a run is: a bar on a terminal, plain lines elsewhere."""

import re
from types import TracebackType

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
)

__all__ = ["ProgressReporter"]

_COUNTED = re.compile(r"\[(\d+)/(\d+)\]\s*(.*)", re.DOTALL)


class ProgressReporter:
    """Takes a run's lines of news.

    A line that begins with `[done/total]` moves the bar and is the text
    beside it; any other stays above.

    >>> with ProgressReporter(Console(force_terminal=False)) as report:
    ...     report("[1/2] dense, seed 0")
    [1/2] dense, seed 0

    Args:
        console: Where to write.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._progress: Progress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> "ProgressReporter":
        if self._console.is_terminal:
            self._progress = Progress(
                BarColumn(),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                TextColumn("{task.description}"),
                console=self._console,
            )
            self._progress.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._progress is not None:
            self._progress.stop()

    def __call__(self, line: str) -> None:
        """Takes one line.

        Args:
            line: News, perhaps with `[done/total]` before it.
        """
        counted = _COUNTED.fullmatch(line)
        if self._progress is None or counted is None:
            self._console.print(
                line, markup=False, highlight=False, soft_wrap=True
            )
            return
        done, total, text = counted.groups()
        if self._task is None:
            self._task = self._progress.add_task(text)
        self._progress.update(
            self._task,
            completed=int(done),
            total=int(total),
            description=text,
        )
