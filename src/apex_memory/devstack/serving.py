"""A home in, its stack kept running until it is told to stop or, if temporary, until nobody uses it."""

import asyncio
import os
import signal
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Final

import structlog

from apex_memory.devstack.assembly import settle, stop_leftovers
from apex_memory.devstack.catalogue import build_services
from apex_memory.devstack.home import Home
from apex_memory.devstack.installation import Installation
from apex_memory.devstack.lease import nobody_holds
from apex_memory.devstack.places import erase
from apex_memory.devstack.processes import identify
from apex_memory.devstack.site import Site
from apex_memory.devstack.state import Journal, Phase, ServiceState, read_state
from apex_memory.devstack.supervisor import Supervisor
from apex_memory.devstack.wishes import take_wishes
from apex_memory.domain.errors import ApexError

UNUSED_LOOKS: Final = 3
LOOK_EVERY_S: Final = 1.0

log = structlog.get_logger()


async def serve(root: Path, *, installed: Path, names: Sequence[str], temporary: bool) -> None:
    """Run one stack from start to end; needs the home's lock."""
    home = Home(root)
    journal = Journal(home.state_file, read_state(home.state_file))
    supervisor = Supervisor(journal=journal, log_of=home.log)
    journal.note(phase=Phase.STARTING, supervisor=identify(os.getpid()), temporary=temporary, reason="")
    loop = asyncio.get_running_loop()
    work = loop.create_task(_work(home, Installation(installed), names, journal, supervisor))
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)
    watch = loop.create_task(_stop_when_unused(home, journal, work)) if temporary else None
    try:
        with suppress(asyncio.CancelledError):
            await work
    except ApexError as exc:
        log.warning("stack.failed", reason=str(exc))
        journal.note(phase=Phase.FAILED, reason=str(exc))
    finally:
        if watch:
            watch.cancel()
        await _shut_down(supervisor, journal)
        if temporary:
            await asyncio.to_thread(erase, home, journal.state.places)


async def _work(
    home: Home, installation: Installation, names: Sequence[str], journal: Journal, supervisor: Supervisor
) -> None:
    wished = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, wished.set)
    former = journal.state.services
    journal.note(services={n: s.model_copy(update={"phase": Phase.WAITING}) for n, s in former.items()})
    for name in await stop_leftovers(journal.state):
        log.warning("leftover.stopped", service=name)
    journal.note(services={name: ServiceState() for name in names})
    site = settle(home, installation, journal)
    await supervisor.start(build_services(site, names))
    journal.note(phase=Phase.READY)
    while await wished.wait():
        wished.clear()
        await _grow(site, take_wishes(home), journal, supervisor)


async def _grow(site: Site, names: Iterable[str], journal: Journal, supervisor: Supervisor) -> None:
    """Add services to a running stack; if they fail, what ran before goes on running."""
    journal.note(phase=Phase.STARTING, reason="")
    try:
        await supervisor.start(build_services(site, names))
    except ApexError as exc:
        log.warning("growth.failed", reason=str(exc))
        journal.note(reason=str(exc))
    journal.note(phase=Phase.READY)


async def _stop_when_unused(home: Home, journal: Journal, work: asyncio.Task[None]) -> None:
    looks = 0
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        with nobody_holds(home.lease_file) as unused:
            looks = looks + 1 if unused else 0
            if looks >= UNUSED_LOOKS:
                # Noted under the lease: whoever comes next sees it, and waits for a new stack.
                journal.note(phase=Phase.STOPPING, reason="nobody uses it any more")
                work.cancel()
                return


async def _shut_down(supervisor: Supervisor, journal: Journal) -> None:
    failed = journal.state.phase is Phase.FAILED
    if not failed:
        journal.note(phase=Phase.STOPPING)
    await supervisor.stop()
    if not failed:
        journal.note(phase=Phase.STOPPED)
    log.info("stack.stopped")
