"""What the supervisor must know of one service: how it is prepared, started, found ready and stopped."""

import signal
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from apex_memory.domain.errors import TransientError


class ServiceFailed(TransientError):
    """A service of the development stack did not get ready."""

    def __init__(self, service: str, reason: str) -> None:
        self.service = service
        self.reason = reason
        super().__init__(f"{service} failed: {reason}")


@dataclass(frozen=True)
class Account:
    """The user a service runs as, where that is not the user who started the stack."""

    uid: int
    gid: int


async def nothing() -> None:
    """The preparation of a service that needs none, and the readiness of one that is ready when it runs."""


@dataclass(frozen=True)
class Service:
    """One process. Without a `command` it belongs to someone else and is only asked whether it is ready.

    `prepare` runs before each start and must be repeatable.
    `ready` returns when the service answers, and raises StoreUnavailable while it does not.
    `once`: a step that ends by itself, and is ready when it ended with 0.
    `attempts`: how often it may end before it was ready until it failed; 0: what fits into the deadline.
    `deadline_s`: from the first preparation to readiness, all attempts together.
    `endpoints`: what a user wants to know of it, by name.
    """

    name: str
    deps: tuple[str, ...] = ()
    prepare: Callable[[], Awaitable[None]] = nothing
    command: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict[str, str])
    directory: Path | None = None
    account: Account | None = None
    ready: Callable[[], Awaitable[None]] = nothing
    once: bool = False
    attempts: int = 3
    deadline_s: float = 30.0
    stop_signal: signal.Signals = signal.SIGTERM
    stop_deadline_s: float = 10.0
    endpoints: Mapping[str, str] = field(default_factory=dict[str, str])
