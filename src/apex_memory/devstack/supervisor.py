"""Services in, a running stack out: started in the order of their needs, kept alive, stopped in reverse."""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import structlog

from apex_memory.devstack.backoff import Backoff
from apex_memory.devstack.order import layers
from apex_memory.devstack.service import Service, ServiceFailed
from apex_memory.devstack.state import Journal, Phase
from apex_memory.devstack.unit import Unit
from apex_memory.domain.errors import ApexError

log = structlog.get_logger()


class Supervisor:
    """Owns the units. `start` may be called again to add services to a running stack."""

    def __init__(
        self, *, journal: Journal, log_of: Callable[[str], Path], backoff: Backoff | None = None
    ) -> None:
        self._journal = journal
        self._log_of = log_of
        self._backoff = backoff or Backoff()
        self._units: dict[str, Unit] = {}
        self._keepers: dict[str, asyncio.Task[None]] = {}

    async def start(self, services: Iterable[Service]) -> None:
        """Start those that are not there yet, independent ones at once; returns when all are ready.

        Raises:
            ServiceFailed: the first service that did not get ready; all that this call started are stopped.
        """
        new = [service for service in services if service.name not in self._units]
        layers([*new, *(unit.service for unit in self._units.values())])
        for service in new:
            self._admit(service)
        failures: list[ApexError] = []
        try:
            async with asyncio.TaskGroup() as group:
                for service in new:
                    group.create_task(self._start_in_turn(self._units[service.name]))
        except* ApexError as raised:
            failures.extend(_leaves(raised))
        if failures:
            await self._stop(new)
            raise failures[0]

    async def stop(self) -> None:
        """Stop what runs, dependents before what they need. Repeatable."""
        await self._stop([unit.service for unit in self._units.values()])

    def _admit(self, service: Service) -> None:
        self._units[service.name] = Unit(
            service, journal=self._journal, log_file=self._log_of(service.name), backoff=self._backoff
        )
        self._journal.note_service(
            service.name, Phase.WAITING, process=None, restarts=0, reason="", took_s=None
        )

    async def _start_in_turn(self, unit: Unit) -> None:
        for need in unit.service.deps:
            if need in self._units:
                await self._units[need].up.wait()
        try:
            await unit.start()
        except ApexError as exc:
            unit.fail(exc.reason if isinstance(exc, ServiceFailed) else str(exc))
            raise
        keeper = asyncio.create_task(unit.keep(), name=unit.service.name)
        keeper.add_done_callback(_report_a_bug)
        self._keepers[unit.service.name] = keeper

    async def _stop(self, services: Sequence[Service]) -> None:
        keepers = [self._keepers[s.name] for s in services if s.name in self._keepers]
        for keeper in keepers:
            keeper.cancel()
        await asyncio.gather(*keepers, return_exceptions=True)
        for layer in reversed(layers(services)):
            await asyncio.gather(*(self._units[name].stop() for name in layer))
        for service in services:
            self._units.pop(service.name)
            self._keepers.pop(service.name, None)


def _leaves(group: BaseExceptionGroup[ApexError]) -> Iterable[ApexError]:
    for exc in group.exceptions:
        if isinstance(exc, BaseExceptionGroup):
            yield from _leaves(exc)
        else:
            yield exc


def _report_a_bug(keeper: asyncio.Task[None]) -> None:
    """Without it, a keeper that ends with an error nobody foresaw leaves its service dead in silence."""
    if not keeper.cancelled() and (error := keeper.exception()):
        log.error("keeper.ended", service=keeper.get_name(), exc_info=error)
