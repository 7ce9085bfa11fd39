"""A directory in; every service and worker as our own child, behind a proxy each, out."""

import asyncio
import os
import shutil
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.chaos.campaign.disks import LoopDisk, detach_below
from tests.chaos.campaign.machine import MEMORY_CGROUP, Machine
from tests.chaos.campaign.member import OURS, READY_S, Member
from tests.chaos.campaign.proxy import Proxy, Wire

from apex_memory.devstack.assembly import settle
from apex_memory.devstack.catalogue import STORES, build_services
from apex_memory.devstack.home import Home
from apex_memory.devstack.installation import Installation
from apex_memory.devstack.loopback import HOST, assign_ports
from apex_memory.devstack.places import data_directories
from apex_memory.devstack.service import Service
from apex_memory.devstack.services import product
from apex_memory.devstack.site import Site
from apex_memory.devstack.state import Journal, StackState
from apex_memory.domain.queues import Queue
from apex_memory.schema import migrate
from apex_memory.settings import apex_home

#: Two worker processes: what decides and takes small batches' steps; what writes the others, and undoes.
WORKERS: Final[Mapping[str, tuple[str, ...]]] = {
    "worker-flow": ("workflows", "stage", "extract", "embed"),
    "worker-write": ("write", "maintain"),
}
#: For who must not wait for a restart: one more process for every queue, which no fault hits.
SPARE: Final[Mapping[str, tuple[str, ...]]] = {"worker-spare": tuple(Queue)}
LINKS: Final = ("postgres", "vectors", "neo4j", "redis", "temporal")
#: Each on a disk of its own, in MiB; `staging` is the product's, which leaves 256 of them free.
DISKS: Final[Mapping[str, int]] = {"postgres": 2048, "vectors": 1024, "neo4j": 1024, "staging": 768}
PLACES: Final = Path("/var/tmp")  # noqa: S108 - a directory of our own below it, which PostgreSQL's user can reach

#: How long a superseded version is kept for readers.
GRACE_S: Final = 45.0
_PRODUCT_SETTINGS: Final = {
    "APEX_GRACEFUL_SHUTDOWN_S": "5",
    "APEX_LOG_LEVEL": "WARNING",
    # So that batches go either way, side by side.
    "APEX_RELAY_SMALL_BATCH": "1",
    "APEX_REAP_EVERY_S": "5",
    "APEX_REAP_AFTER_S": "20",
    "APEX_SWEEP_EVERY_S": "5",
    "APEX_SWEEP_AFTER_S": "20",
    "APEX_COLLECT_EVERY_S": "10",
    "APEX_GRACE_S": f"{GRACE_S:g}",
}


class Fleet:
    """The whole product on this machine. Its processes reach the stores through links, we do not."""

    def __init__(
        self, *, site: Site, inner: Site, proxy: Proxy, members: dict[str, Member], disks: dict[str, LoopDisk]
    ) -> None:
        self.site = site
        self.proxy = proxy
        self.members = members
        self.disks = disks
        self.direct = site.endpoints.settings().model_copy(update={"grace_s": GRACE_S})
        self.proxied = inner.endpoints.settings()

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def log_of(self, name: str) -> Path:
        return self.site.home.log(name)


@asynccontextmanager
async def running_fleet(
    root: Path, machine: Machine, *, zombie_s: float, spare: bool, say: Callable[[str], None]
) -> AsyncGenerator[Fleet, None]:
    """Start everything in new directories; stop and delete it at the end, logs excepted."""
    home = Home(root / "home")
    home.create()
    places = PLACES / f"{OURS}{os.getpid()}"
    _remove_leftovers()
    async with AsyncExitStack() as stack:
        disks = {} if machine.lacks["disk"] else _disks(places)
        stack.callback(_remove, places, disks)
        installation = Installation(apex_home())
        settled = settle(home, installation, Journal(home.state_file, StackState()))
        stack.callback(_erase, settled)
        site = replace(settled, places={**settled.places, **_in(disks)})
        staging = disks["staging"].mount if "staging" in disks else None
        site = _with_endpoints(site, staging_dir=staging, zombie_s=zombie_s)
        inner, wires = _behind_links(site)
        products = _product(inner, {**WORKERS, **SPARE} if spare else WORKERS)
        proxy = await Proxy.start(wires)
        stack.push_async_callback(proxy.stop)
        cgroup = not machine.lacks["memory"]
        members = {
            service.name: Member(service, log=home.log(service.name), cgroup=cgroup)
            for service in (*map(_short_lived, build_services(site, STORES)), *products)
        }
        for member in members.values():
            stack.push_async_callback(member.stop)
        fleet = Fleet(site=site, inner=inner, proxy=proxy, members=members, disks=disks)
        await _start(fleet, [service.name for service in products], say)
        yield fleet
        say("stopping")


async def _start(fleet: Fleet, products: Sequence[str], say: Callable[[str], None]) -> None:
    say(f"starting {', '.join(STORES)}")
    await asyncio.gather(*(fleet[name].start() for name in STORES))
    await _all_ready(fleet, STORES)
    await migrate(fleet.direct.postgres_url)
    say(f"starting {', '.join(products)}")
    await asyncio.gather(*(fleet[name].start() for name in products))
    await _all_ready(fleet, products)


async def _all_ready(fleet: Fleet, names: Sequence[str]) -> None:
    answers = await asyncio.gather(*(fleet[name].ready() for name in names))
    late = [name for name, answered in zip(names, answers, strict=True) if not answered]
    if late:
        raise RuntimeError(f"not ready within {READY_S:.0f} s: {', '.join(late)}; see {fleet.site.home.logs}")


def _short_lived(service: Service) -> Service:
    """Killed as often as here, a JVM would spend both cores on compiling code that is never run long."""
    return replace(
        service, environment={**service.environment, "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}
    )


def _product(site: Site, workers: Mapping[str, tuple[str, ...]]) -> list[Service]:
    return [
        replace(product.api(site), deps=()),
        replace(product.relay(site), deps=()),
        *(_worker(name, queues, site) for name, queues in workers.items()),
    ]


def _worker(name: str, queues: tuple[str, ...], site: Site) -> Service:
    """One process for several queues; ready when it polls the last of them."""
    last = product.worker(Queue(queues[-1]), site)
    return replace(last, name=name, deps=(), command=(*last.command[:-1], *queues))


def _disks(places: Path) -> dict[str, LoopDisk]:
    places.mkdir(mode=0o755)
    disks = {name: LoopDisk(places / name, size_mib=size) for name, size in DISKS.items()}
    for disk in disks.values():
        disk.make()
    return disks


def _in(disks: Mapping[str, LoopDisk]) -> dict[str, str]:
    return {name: str(disk.mount / "data") for name, disk in disks.items() if name != "staging"}


def _remove(places: Path, disks: Mapping[str, LoopDisk]) -> None:
    for disk in disks.values():
        disk.remove()
    detach_below(places)
    shutil.rmtree(places, ignore_errors=True)


def _remove_leftovers() -> None:
    """Of a harness that was killed; its processes died with it."""
    for folder in (*PLACES.glob(f"{OURS}*"), *MEMORY_CGROUP.glob(f"{OURS}*")):
        pid = folder.name.removeprefix(OURS).partition("-")[0]
        if pid.isdecimal() and not Path(f"/proc/{pid}").exists():
            if folder.parent == PLACES:
                _remove(folder, {})
            else:
                with suppress(OSError):
                    folder.rmdir()


def _erase(site: Site) -> None:
    for directory in data_directories(site.home, site.places):
        shutil.rmtree(directory, ignore_errors=True)


def _with_endpoints(site: Site, *, staging_dir: Path | None, zombie_s: float) -> Site:
    endpoints = site.endpoints
    if staging_dir:
        endpoints = endpoints.model_copy(update={"staging_dir": staging_dir / "data"})
    settings = {**_PRODUCT_SETTINGS, "APEX_ZOMBIE_WINDOW_S": f"{zombie_s:g}"}
    environment = {**site.environment, **settings, **endpoints.environment()}
    return replace(site, endpoints=endpoints, environment=environment)


def _behind_links(site: Site) -> tuple[Site, list[Wire]]:
    """The same site as the product sees it, and the wires that this takes."""
    ports = assign_ports([f"link-{name}" for name in LINKS], kept={})
    wires = [Wire(name, listen=ports[f"link-{name}"], upstream=site.ports[name]) for name in LINKS]
    own = {wire.upstream: wire.listen for wire in wires}
    fields = ("postgres_url", "qdrant_url", "neo4j_url", "redis_url", "temporal_address")
    changed = {
        field: str(getattr(site.endpoints, field)).replace(f"{HOST}:{port}", f"{HOST}:{own[port]}")
        for field, port in zip(fields, (site.ports[name] for name in LINKS), strict=True)
    }
    endpoints = site.endpoints.model_copy(update=changed)
    environment = {**site.environment, **endpoints.environment()}
    return replace(site, endpoints=endpoints, environment=environment), wires
