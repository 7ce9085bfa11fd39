"""Notes of what was sent and what can be found in, two bars on standard error out."""

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class Board:
    """Standard error, so that standard output stays one table or one JSON object."""

    def __init__(self, total: int) -> None:
        columns = (TextColumn("{task.description:>9}"), BarColumn(), MofNCompleteColumn())
        self._progress = Progress(*columns, console=Console(stderr=True))
        self._sent = self._progress.add_task("sent", total=total)
        self._findable = self._progress.add_task("findable", total=total)

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._progress.stop()

    def sent(self) -> None:
        self._progress.advance(self._sent)

    def findable(self) -> None:
        self._progress.advance(self._findable)
