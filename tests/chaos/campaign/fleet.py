"""A directory in; every service and worker as our own child, behind a proxy each, out."""

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import Final

from tests.chaos.campaign.disks import LoopDisk, detach_below
from tests.chaos.campaign.machine import MEMORY_CGROUP, Machine
from tests.chaos.campaign.processes import family, gone, signal_all
from tests.chaos.campaign.proxy import Proxy, Wire

from apex_memory.devstack.assembly import settle
from apex_memory.devstack.catalogue import STORES, build_services
from apex_memory.devstack.home import Home
from apex_memory.devstack.installation import Installation
from apex_memory.devstack.loopback import HOST, assign_ports
from apex_memory.devstack.places import data_directories
from apex_memory.devstack.processes import launch, sweep_session
from apex_memory.devstack.service import Service
from apex_memory.devstack.services import product
from apex_memory.devstack.site import Site
from apex_memory.devstack.state import Journal, StackState
from apex_memory.domain.errors import ApexError
from apex_memory.domain.queues import Queue
from apex_memory.schema import migrate
from apex_memory.settings import apex_home

#: Two worker processes: what decides, and what writes and undoes.
WORKERS: Final[Mapping[str, tuple[str, ...]]] = {
    "worker-flow": ("workflows", "stage", "extract", "embed"),
    "worker-write": ("write", "maintain"),
}
PRODUCT: Final = ("api", "relay", *WORKERS)
LINKS: Final = ("postgres", "vectors", "neo4j", "redis", "temporal")
#: Each on a disk of its own, in MiB; `staging` is the product's, which leaves 256 of them free.
DISKS: Final[Mapping[str, int]] = {"postgres": 2048, "vectors": 1024, "neo4j": 1024, "staging": 768}
PLACES: Final = Path("/var/tmp")  # noqa: S108 - a directory of our own below it, which PostgreSQL's user can reach

_OURS: Final = "apex-chaos-"
_AGAIN_S: Final = 0.1
_READY_S: Final = 120.0
_PRODUCT_SETTINGS: Final = {
    "APEX_GRACEFUL_SHUTDOWN_S": "5",
    "APEX_LOG_LEVEL": "WARNING",
    "APEX_REAP_EVERY_S": "5",
    "APEX_REAP_AFTER_S": "20",
    "APEX_SWEEP_EVERY_S": "5",
    "APEX_SWEEP_AFTER_S": "20",
    "APEX_COLLECT_EVERY_S": "10",
    "APEX_GRACE_S": "45",
}


class Member:
    """One process. It is started again as soon as it dies, unless it is held down."""

    def __init__(self, service: Service, *, log: Path, cgroup: bool) -> None:
        self.name = service.name
        self.service = service
        self.starts = 0
        self.deaths: list[tuple[float, int]] = []
        self._log = log
        self._cgroup = MEMORY_CGROUP / f"{_OURS}{os.getpid()}-{service.name}" if cgroup else None
        self._process: asyncio.subprocess.Process | None = None
        self._may_run = asyncio.Event()
        self._may_run.set()
        self._next: Mapping[str, str] = {}
        self._keeper: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """0 while it does not run."""
        process = self._process
        return process.pid if process and process.returncode is None else 0

    @property
    def cgroup(self) -> Path | None:
        return self._cgroup

    def pids(self) -> list[int]:
        return family(self.pid) if self.pid else []

    async def start(self) -> None:
        if self._cgroup:
            self._cgroup.mkdir(exist_ok=True)
        self._keeper = asyncio.create_task(self._keep(), name=f"keep {self.name}")

    async def ready(self, *, within_s: float = _READY_S) -> bool:
        """Whether it answers in time."""
        end = time.monotonic() + within_s
        while time.monotonic() < end:
            with suppress(ApexError):
                await self.service.ready()
                return True
            await asyncio.sleep(0.05)
        return False

    def hold_down(self) -> None:
        """From its next death on it is not started again, until `let_up`."""
        self._may_run.clear()

    def let_up(self) -> None:
        self._may_run.set()

    def next_start_with(self, environment: Mapping[str, str]) -> None:
        self._next = environment

    def tell(self, number: signal.Signals) -> bool:
        """To the process alone; False if it does not run."""
        if not self.pid:
            return False
        signal_all([self.pid], number)
        return True

    def tell_family(self, number: signal.Signals) -> bool:
        pids = self.pids()
        signal_all(pids, number)
        return bool(pids)

    async def stop(self) -> None:
        """For good."""
        if self._keeper:
            self._keeper.cancel()
            await asyncio.gather(self._keeper, return_exceptions=True)
        pids = self.pids()
        signal_all(pids, signal.SIGCONT)
        if self._process and self._process.returncode is None:
            self._process.send_signal(self.service.stop_signal)
            if not await gone(pids, within_s=10):
                signal_all(pids, signal.SIGKILL)
            await self._process.wait()
        if self._cgroup:
            with suppress(OSError):
                self._cgroup.rmdir()

    async def _keep(self) -> None:
        while True:
            await self._may_run.wait()
            with suppress(ApexError):
                await self.service.prepare()
                await self._run_once()
            await asyncio.sleep(_AGAIN_S)

    async def _run_once(self) -> None:
        environment, self._next = {**self.service.environment, **self._next}, {}
        process = await launch(replace(self.service, environment=environment), self._log)
        self._process = process
        self.starts += 1
        if self._cgroup:
            with suppress(OSError):
                (self._cgroup / "cgroup.procs").write_text(str(process.pid))
        code = await process.wait()
        self.deaths.append((time.time(), code))
        sweep_session(process.pid)


class Fleet:
    """The whole product on this machine. Its processes reach the stores through links, we do not."""

    def __init__(
        self, *, site: Site, inner: Site, proxy: Proxy, members: dict[str, Member], disks: dict[str, LoopDisk]
    ) -> None:
        self.site = site
        self.proxy = proxy
        self.members = members
        self.disks = disks
        self.direct = site.endpoints.settings()
        self.proxied = inner.endpoints.settings()

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def log_of(self, name: str) -> Path:
        return self.site.home.log(name)


@asynccontextmanager
async def running_fleet(
    root: Path, machine: Machine, *, zombie_s: float, say: Callable[[str], None]
) -> AsyncGenerator[Fleet, None]:
    """Start everything in new directories; stop and delete it at the end, logs excepted."""
    home = Home(root / "home")
    home.create()
    places = PLACES / f"{_OURS}{os.getpid()}"
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
        proxy = await Proxy.start(wires)
        stack.push_async_callback(proxy.stop)
        cgroup = not machine.lacks["memory"]
        members = {
            service.name: Member(service, log=home.log(service.name), cgroup=cgroup)
            for service in (*map(_short_lived, build_services(site, STORES)), *_product(inner))
        }
        for member in members.values():
            stack.push_async_callback(member.stop)
        fleet = Fleet(site=site, inner=inner, proxy=proxy, members=members, disks=disks)
        await _start(fleet, say)
        yield fleet
        say("stopping")


async def _start(fleet: Fleet, say: Callable[[str], None]) -> None:
    say(f"starting {', '.join(STORES)}")
    await asyncio.gather(*(fleet[name].start() for name in STORES))
    await _all_ready(fleet, STORES)
    await migrate(fleet.direct.postgres_url)
    say(f"starting {', '.join(PRODUCT)}")
    await asyncio.gather(*(fleet[name].start() for name in PRODUCT))
    await _all_ready(fleet, PRODUCT)


async def _all_ready(fleet: Fleet, names: tuple[str, ...]) -> None:
    answers = await asyncio.gather(*(fleet[name].ready() for name in names))
    late = [name for name, answered in zip(names, answers, strict=True) if not answered]
    if late:
        raise RuntimeError(
            f"not ready within {_READY_S:.0f} s: {', '.join(late)}; see {fleet.site.home.logs}"
        )


def _short_lived(service: Service) -> Service:
    """Killed as often as here, a JVM would spend both cores on compiling code that is never run long."""
    return replace(
        service, environment={**service.environment, "JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1"}
    )


def _product(site: Site) -> list[Service]:
    return [
        replace(product.api(site), deps=()),
        replace(product.relay(site), deps=()),
        *(_worker(name, queues, site) for name, queues in WORKERS.items()),
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
    for folder in (*PLACES.glob(f"{_OURS}*"), *MEMORY_CGROUP.glob(f"{_OURS}*")):
        pid = folder.name.removeprefix(_OURS).partition("-")[0]
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
