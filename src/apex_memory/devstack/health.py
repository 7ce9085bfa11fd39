"""A stack in, each service's health out, asked now and not read from what the supervisor last wrote."""

import asyncio
import time

from apex_memory.devstack.assembly import site_of
from apex_memory.devstack.catalogue import CATALOGUE, Blueprint
from apex_memory.devstack.installation import Installation
from apex_memory.devstack.processes import is_alive
from apex_memory.devstack.site import Site
from apex_memory.devstack.stack import Stack
from apex_memory.devstack.state import Phase, ServiceState
from apex_memory.domain.errors import StoreUnavailable
from apex_memory.domain.value import Value


class ServiceHealth(Value):
    """`said`: why it is not healthy. `uptime_s`: since it last got ready; 0 when it is not.

    `port`: the one that its clients use; None if it has none, or is not ours.
    """

    name: str
    phase: Phase
    pid: int | None
    port: int | None
    uptime_s: float
    restarts: int
    healthy: bool
    said: str


async def examine(stack: Stack) -> list[ServiceHealth]:
    """One entry for each service of the last `up`, in the order of the catalogue; none without an `up`."""
    state = stack.state()
    known = [b for b in CATALOGUE if b.name in state.services]
    if not known or not stack.home.env_file.exists():
        return []
    site = site_of(stack.home, Installation(stack.installed), state)
    return await asyncio.gather(*(_examine(b, site, state.services[b.name]) for b in known))


async def _examine(blueprint: Blueprint, site: Site, state: ServiceState) -> ServiceHealth:
    said = await _complaint(blueprint, site, state)
    running = state.phase in {Phase.READY, Phase.EXTERNAL}
    return ServiceHealth(
        name=blueprint.name,
        phase=state.phase,
        pid=state.process.pid if state.process else None,
        port=site.ports[blueprint.ports[0]] if blueprint.ports and state.process else None,
        uptime_s=time.time() - state.since if running else 0.0,
        restarts=state.restarts,
        healthy=not said,
        said=said,
    )


async def _complaint(blueprint: Blueprint, site: Site, state: ServiceState) -> str:
    if state.phase is Phase.DONE:
        return ""
    if state.phase not in {Phase.READY, Phase.EXTERNAL}:
        return state.reason or f"it is {state.phase}"
    if state.process and not is_alive(state.process):
        return "its process is gone"
    try:
        if blueprint.answers:
            await blueprint.answers(site)
    except StoreUnavailable as exc:
        return exc.reason
    return ""
