"""A home in, a running stack out for as long as a test run needs it, shared by the run's processes."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

from apex_memory.devstack import lease
from apex_memory.devstack.catalogue import STORES
from apex_memory.devstack.endpoints import Endpoints
from apex_memory.devstack.stack import Stack


@asynccontextmanager
async def running_stack(
    home: Path, *, services: Sequence[str] = STORES, installed: Path | None = None
) -> AsyncGenerator[Endpoints]:
    """Start a temporary stack in `home`, or attach to the one that runs there.

    The last process to leave stops it, and its data is deleted. If that process is killed, the supervisor
    notices within seconds that nobody holds a lease, and does the same. A stack that `apex dev up` started in
    `home` is used and left as it is.

    Raises:
        ServiceFailed: with the end of the failed service's log.
        HomeInUse: `home` keeps the data of a stack that does not run now but was started by `apex dev up`.
    """
    stack = Stack(home, services=services, installed=installed, temporary=True)
    stack.home.create()
    with lease.held(stack.home.lease_file):
        yield await stack.up()
    with lease.nobody_holds(stack.home.lease_file) as unused:
        if unused and stack.state().temporary:
            await stack.down()


def home_of_run(basetemp: Path) -> Path:
    """The one home of a pytest run, also under xdist, whose workers have directories of their own in it."""
    run = basetemp.parent if basetemp.name.startswith("popen-") else basetemp
    return run / "apex"
