"""What can go wrong for someone at a terminal in, one clear message and an exit code out."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from typing import Final

import typer
from rich.console import Console
from rich.markup import escape

from apex_memory.domain.errors import (
    ApexError,
    PermanentError,
    SettingMissing,
    StoreUnavailable,
    TransientError,
)

NOT_DONE: Final = 1
WRONG_USE: Final = 2


class ApiUnavailable(TransientError):
    """The API did not answer, or answered that it cannot now, until our patience ended."""

    def __init__(self, url: str, reason: str) -> None:
        self.url = url
        self.reason = reason
        super().__init__(f"the API at {url} does not serve: {reason}\nStart it with `apex dev up`.")


class ApiRefused(PermanentError):
    """The API will not do this. `errors` are its words on where and why."""

    def __init__(self, status: int, title: str, detail: str, *, errors: Sequence[str] = ()) -> None:
        self.status = status
        self.errors = tuple(errors)
        super().__init__("\n  ".join((f"{title} ({status}): {detail}", *errors)))


class NotDone(TransientError):
    """Some work was begun and ended without a result."""

    def __init__(self, what: str, reason: str) -> None:
        self.what = what
        self.reason = reason
        super().__init__(f"{what} was not done: {reason}")


class NotFindable(TransientError):
    """Something that was sent does not come out again."""

    def __init__(self, name: str, reason: str) -> None:
        self.name = name
        self.reason = reason
        super().__init__(f"{name} did not become findable: {reason}")


@contextmanager
def ending_named(what: str) -> Generator[None, None, None]:
    """Around a workflow that is started and waited for. Raises StoreUnavailable, NotDone."""
    # Here: most commands never speak to Temporal, and loading its client takes half a second.
    from temporalio.client import WorkflowFailureError
    from temporalio.service import RPCError

    try:
        yield
    except RPCError as exc:
        raise StoreUnavailable("temporal", str(exc)) from exc
    except WorkflowFailureError as exc:
        raise NotDone(what, str(exc.cause)) from exc


@contextmanager
def reported() -> Generator[None, None, None]:
    """An error of ours ends the command with its message and an exit code; a bug keeps its traceback."""
    try:
        yield
    except ApexError as exc:
        console = Console(stderr=True, soft_wrap=True, highlight=False)
        console.print(f"[red]error:[/] {escape(str(exc))}")
        raise typer.Exit(WRONG_USE if isinstance(exc, SettingMissing) else NOT_DONE) from None
